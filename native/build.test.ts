import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  existsSync,
  globSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import manifest from "../package.json" with { type: "json" };
import { type Clone, makeClone } from "./testing/clone.ts";

// One clone, on which the tests build upon each other in their order.
const BUILD_LIMIT_MS = 1_200_000;
const QUICK_LIMIT_MS = 120_000;
/** A second run may take so much of the processor, however long it waits for that; the best of some. */
const READY_LIMIT_CPU_MS = 200;
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
      const { exitCode, said, cpuMs } = await clone.build(nothing, QUICK_LIMIT_MS);
      expect([exitCode, said.trim().split("\n").length]).toEqual([0, 1]);
      took.push(cpuMs);
    }
    expect(Math.min(...took)).toBeLessThan(READY_LIMIT_CPU_MS);
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

describe("an addon that was packed", () => {
  const refusedWith = async (env: Record<string, string>, said: RegExp) => {
    const refused = await elsewhere(env);
    expect(refused.said).toMatch(said);
    expect([refused.exitCode, existsSync(addon())]).toEqual([1, false]);
  };
  /** Builds with another cache, in which nothing is yet, and no compiler. */
  const elsewhere = (env: Record<string, string>) => {
    rmSync(clone.release, { recursive: true, force: true });
    const cache = mkdtempSync(join(tmpdir(), "coffee-orders-cache-"));
    caches.push(cache);
    return clone.build(nothing, QUICK_LIMIT_MS, [], { XDG_CACHE_HOME: cache, ...env });
  };
  const caches: string[] = [];
  let packed: string;
  let whole: Buffer;
  const sumOf = (bytes: Uint8Array) => new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
  /** The same archive but for this. */
  const otherwise = async (about: object): Promise<string> => {
    const files = await new Bun.Archive(readFileSync(packed)).files();
    const told = JSON.stringify({ ...(await files.get("about.json")?.json()), ...about });
    const parts = { "about.json": told, "node-librdkafka.node": whole };
    const path = `${packed}.other`;
    writeFileSync(path, await new Bun.Archive(parts, { compress: "gzip" }).bytes());
    return path;
  };
  beforeAll(async () => {
    whole = readFileSync(addon());
    const folder = mkdtempSync(join(tmpdir(), "coffee-orders-packed-"));
    caches.push(folder);
    const { exitCode } = await clone.build(nothing, QUICK_LIMIT_MS, ["--pack", folder]);
    expect(exitCode).toBe(0);
    [packed = ""] = globSync(join(folder, "*.tar.gz"));
  });
  afterAll(() => {
    for (const folder of caches) rmSync(folder, { recursive: true });
  });

  test("says by its name what it is for, and has its digest beside it", () => {
    const name = new RegExp(
      `^node-librdkafka-linux-${process.arch}-glibc[\\d.]+-bun${Bun.version}-librdkafka[\\d.]+-`,
    );
    expect(basename(packed)).toMatch(name);
    expect(readFileSync(`${packed}.sha256`, "utf8")).toBe(
      `${sumOf(readFileSync(packed))}  ${basename(packed)}\n`,
    );
  });

  test("is taken elsewhere, by path or by URL, without a compiler", async () => {
    expect((await elsewhere({ COFFEE_NATIVE_PREBUILT: packed })).exitCode).toBe(0);
    expect(whole.equals(readFileSync(addon()))).toBe(true);
    using server = Bun.serve({ port: 0, fetch: () => new Response(readFileSync(packed)) });
    const from = { COFFEE_NATIVE_PREBUILT: `${server.url}${basename(packed)}`, NO_PROXY: "localhost" };
    await refusedWith(from, /nobody says what its digest is. Set COFFEE_NATIVE_PREBUILT_SHA256/);
    const sha256 = { COFFEE_NATIVE_PREBUILT_SHA256: sumOf(readFileSync(packed)) };
    expect((await elsewhere({ ...from, ...sha256 })).exitCode).toBe(0);
    expect(whole.equals(readFileSync(addon()))).toBe(true);
  });

  test("is refused when it is damaged, or another than was meant", async () => {
    await refusedWith(
      { COFFEE_NATIVE_PREBUILT: packed, COFFEE_NATIVE_PREBUILT_SHA256: "0".repeat(64) },
      /its SHA-256 is \w+, not 0+\. .*anew/,
    );
    const bytes = readFileSync(packed);
    writeFileSync(`${packed}.cut`, bytes.subarray(0, -1));
    writeFileSync(`${packed}.cut.sha256`, readFileSync(`${packed}.sha256`));
    await refusedWith({ COFFEE_NATIVE_PREBUILT: `${packed}.cut` }, /its SHA-256 is/);
    await refusedWith({ COFFEE_NATIVE_PREBUILT: `${packed}.none` }, /nobody says/);
  });

  test.each([
    [{ arch: "mips" }, /it is for mips, this machine is \w+: take the one named linux-/],
    [{ bun: "9.9.9" }, /it is for Bun 9.9.9, this is [\d.]+: take the one named bun/],
    [{ glibc: "9.99" }, /it needs glibc 9.99, .* built on an older system/],
    [{ key: "0123" }, /it is of other sources \(0123\)/],
  ])("is refused when it is for another: %j", async (about, said) => {
    const path = await otherwise(about);
    const sha256 = sumOf(readFileSync(path));
    await refusedWith({ COFFEE_NATIVE_PREBUILT: path, COFFEE_NATIVE_PREBUILT_SHA256: sha256 }, said);
  });
});

test(
  "two at once do not harm each other",
  async () => {
    rmSync(clone.release, { recursive: true, force: true });
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
