import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import manifest from "../package.json" with { type: "json" };
import { type Clone, makeClone } from "./testing/clone.ts";

// One clone, on which the tests build upon each other in their order.
const BUILD_LIMIT_MS = 600_000;
const QUICK_LIMIT_MS = 60_000;
/** A second run may take that long; the best of some, as the machine may be busy with other things. */
const READY_LIMIT_MS = 200;
const READY_RUNS = 5;

let clone: Clone;
let nothing: string;
const addon = () => join(clone.release, "node-librdkafka.node");
const stamp = () => join(clone.release, "node-librdkafka.json");
const seen = () => [addon(), stamp()].map((path) => [statSync(path).ino, statSync(path).mtimeMs]);

beforeAll(async () => {
  clone = await makeClone(BUILD_LIMIT_MS);
  nothing = clone.programsBut(/./);
}, BUILD_LIMIT_MS);
afterAll(() => clone?.[Symbol.dispose]());

test("a Bun that it is not verified on is refused, with what to do", async () => {
  clone.pinTo("9.9.9");
  const { exitCode, said } = await clone.build(nothing, QUICK_LIMIT_MS);
  expect(exitCode).toBe(1);
  expect(said).toContain(`Bun ${Bun.version}: node-rdkafka is verified on Bun 9.9.9 only.`);
  expect(said).toContain(`"packageManager"`);
  expect(existsSync(addon())).toBe(false);
  clone.pinTo(Bun.version);
  expect(manifest.packageManager).toBe(`bun@${Bun.version}`);
});

test("every tool and header that is missing is in one message", async () => {
  const { exitCode, said } = await clone.build(nothing, QUICK_LIMIT_MS);
  expect(exitCode).toBe(1);
  for (const what of ["bash", "make", "C compiler", "C++ compiler", "OpenSSL", "zlib", "zstd"])
    expect(said).toContain(what);
  expect(said).toContain("apt-get install -y bash make gcc g++ libssl-dev zlib1g-dev libzstd-dev");
  expect(clone.cached("addon")).toEqual([]);
});

test(
  "it builds with no Node, npm, node-gyp or Python on the PATH",
  async () => {
    const path = clone.programsBut(/^(node|npm|npx|corepack|yarn|pnpm|bun|bunx|pypy|python)/);
    expect(Bun.which("node", { PATH: path }) ?? Bun.which("python3", { PATH: path })).toBeNull();
    const { exitCode, said } = await clone.build(path, BUILD_LIMIT_MS);
    expect(said).toContain("compiling");
    expect(said).toEndWith(`is ready for Bun ${Bun.version}.\n`);
    expect(exitCode).toBe(0);
    expect(clone.cached("addon")).toHaveLength(1);
  },
  BUILD_LIMIT_MS,
);

test(
  "a second run takes a moment and does nothing",
  async () => {
    const before = seen();
    const took: number[] = [];
    for (let run = 0; run < READY_RUNS; run++) {
      const { exitCode, said, tookMs } = await clone.build(nothing, QUICK_LIMIT_MS);
      expect([exitCode, said.trim().split("\n").length]).toEqual([0, 1]);
      took.push(tookMs);
    }
    expect(Math.min(...took)).toBeLessThan(READY_LIMIT_MS);
    expect(seen()).toEqual(before);
  },
  QUICK_LIMIT_MS,
);

test(
  "an addon that was damaged or lost comes back from the cache, without a compiler",
  async () => {
    const whole = readFileSync(addon());
    truncateSync(addon(), whole.length - 1);
    expect((await clone.build(nothing, QUICK_LIMIT_MS)).exitCode).toBe(0);
    expect(whole.equals(readFileSync(addon()))).toBe(true);
    rmSync(clone.release, { recursive: true });
    expect((await clone.build(nothing, QUICK_LIMIT_MS)).exitCode).toBe(0);
    expect(whole.equals(readFileSync(addon()))).toBe(true);
  },
  QUICK_LIMIT_MS,
);

test(
  "two at once do not harm each other",
  async () => {
    rmSync(clone.release, { recursive: true });
    const both = await Promise.all([1, 2].map(() => clone.build(nothing, QUICK_LIMIT_MS)));
    expect(both.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
    const before = seen();
    expect((await clone.build(nothing, QUICK_LIMIT_MS)).exitCode).toBe(0);
    expect(seen()).toEqual(before);
  },
  QUICK_LIMIT_MS,
);

test(
  "an addon that does not work is not taken for ready, nor kept",
  async () => {
    const [made = ""] = clone.cached("addon");
    rmSync(clone.release, { recursive: true });
    writeFileSync(join(made, "node-librdkafka.node"), "no addon");
    const { exitCode, said } = await clone.build(nothing, QUICK_LIMIT_MS);
    expect(exitCode).toBe(1);
    expect(said).toContain("sending and reading a message: exit code 1");
    expect(existsSync(stamp())).toBe(false);
    expect(clone.cached("addon")).toEqual([]);
  },
  QUICK_LIMIT_MS,
);
