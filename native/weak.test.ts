import { expect, test } from "bun:test";
import { addonPath } from "./addon.ts";
import { compileProbe, PROBE_LIMIT_MS } from "./testing/probe.ts";

const LIMIT_MS = 120_000;

/** The functions of V8 and Node that a file brings, by nm's letter: W for weak, T for not. */
function brings(path: string): Map<string, string> {
  const { stdout } = Bun.spawnSync(["nm", "-DC", "--defined-only", path], { timeout: LIMIT_MS });
  const lines = stdout.toString().matchAll(/^\w+ (\w) ((?:v8|node)::[\w:]+)\(/gm);
  return new Map([...lines].map(([, letter = "", name = ""]) => [name, letter]));
}

test("the addon brings only what Bun lacks, and all of it gives way", () => {
  const brought = brings(addonPath);
  expect(brought.keys().toArray()).toContain("v8::Value::ToObject");
  expect(new Set(brought.values())).toEqual(new Set(["W"]));
  // Fails with the first Bun that has one of them: it can be taken out of bun_compat.cc then.
  const both = brings(process.execPath)
    .keys()
    .filter((name) => brought.has(name));
  expect(both.toArray()).toEqual([]);
});

test(
  "where Bun brings a function itself, that one is taken",
  async () => {
    const [probe, newer] = [await compileProbe("bun_compat_test"), await compileProbe("newer_bun")];
    expect(brings(newer).get("v8::Value::BooleanValue")).toBe("T");
    const script =
      "const it = require(process.argv[1]); console.log(it.booleanValue(1), it.int32Value('7.5'));";
    const answersWith = (env: Record<string, string>) => {
      const argv = [process.execPath, "-e", script, probe];
      return Bun.spawnSync(argv, { env: { ...process.env, ...env }, timeout: LIMIT_MS }).stdout.toString();
    };
    expect(answersWith({})).toBe("true 7\n");
    expect(answersWith({ LD_PRELOAD: newer })).toBe("false 7\n");
  },
  PROBE_LIMIT_MS,
);
