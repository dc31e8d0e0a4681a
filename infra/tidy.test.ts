// Holds the tree to the rules that are easy to break and hard to see: which way imports point, who reads the
// environment, how long a file may be, and that nothing is left unfinished, unheard or untested.
import { expect, test } from "bun:test";
import { dirname, join, relative } from "node:path";
import { suites } from "./test/suites.ts";

const root = join(import.meta.dir, "..");
const glob = new Bun.Glob("**/{*.{ts,tsx,h,cc,cfg,yaml,sh,html,css},Makefile,Dockerfile}");
const paths = [...glob.scanSync({ cwd: root })].filter((path) => !/(^|\/)node_modules\//.test(path)).sort();
const texts = new Map(
  await Promise.all(paths.map(async (path) => [path, await Bun.file(join(root, path)).text()] as const)),
);
const transpilers = { ts: new Bun.Transpiler({ loader: "ts" }), tsx: new Bun.Transpiler({ loader: "tsx" }) };

const isTypeScript = (path: string) => /\.tsx?$/.test(path);
const isTest = (path: string) => /\.test\.tsx?$/.test(path) || /(^|\/)testing\//.test(path);
const isEntry = (path: string) => path === "producer.ts" || path === "consumer.ts";
const ofTiers = (path: string) => isEntry(path) || path.startsWith("src/");

/** What `path` imports, by default whenever: a package by its name, a file of ours by its path from the root. */
function importsOf(path: string, atItsStart = false): string[] {
  const loader = path.endsWith("x") ? "tsx" : "ts";
  return transpilers[loader]
    .scanImports(texts.get(path) ?? "")
    .filter(({ kind }) => !atItsStart || kind !== "dynamic-import")
    .map((one) =>
      one.path.startsWith(".") ? relative(root, join(root, dirname(path), one.path)) : one.path,
    );
}

/** All of ours that `path` names as imported, types too, by their paths from the root. */
function neighboursOf(path: string): string[] {
  const named = (texts.get(path) ?? "").matchAll(/\b(?:from|import)\s*\(?\s*"(\.[^"]+)"/g);
  return [...named].map(([, to = ""]) => join(dirname(path), to)).filter((to) => texts.has(to));
}

/** Circles among imports, each as the way that closes it; one for each edge that leads back. */
function circles(): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const way: string[] = [];
  const visit = (path: string) => {
    if (way.includes(path)) found.push([...way.slice(way.indexOf(path)), path].join(" → "));
    if (done.has(path) || way.includes(path)) return;
    way.push(path);
    for (const to of neighboursOf(path)) visit(to);
    way.pop();
    done.add(path);
  };
  for (const path of paths.filter(isTypeScript)) visit(path);
  return found;
}

/**
 * The files among `which` in which `pattern` occurs, each with its first line that does. (What must not occur
 * is spelled below so that this file does not find itself.)
 */
function occurrences(pattern: RegExp, which: (path: string) => boolean): string[] {
  return paths.filter(which).flatMap((path) => {
    const found = pattern.exec(texts.get(path) ?? "");
    if (!found) return [];
    return `${path}:${texts.get(path)?.slice(0, found.index).split("\n").length}: ${found[0].trim()}`;
  });
}

test("the tree is there to be read", () => {
  expect(paths.filter(isTypeScript).length).toBeGreaterThan(20);
  expect(importsOf("infra/tidy.test.ts")).toEqual(["bun:test", "node:path", "infra/test/suites.ts"]);
});

/** Where the files of a room may import from, beside itself and packages. */
const arrows: Record<string, string[]> = {
  src: [],
  kit: [],
  native: ["kit"],
  testing: ["kit", "native", "src"],
  examples: ["src"],
  infra: ["kit", "native", "src"],
  ops: ["kit", "src"],
  // What it is fed from lies beside it: a stage feeds it live, a proof from a file.
  page: ["kit", "src"],
  proof: ["infra", "kit", "ops", "page", "src", "testing"],
  // What everyday orders cost is measured on the topology of a proof, by its load.
  bench: ["infra", "kit", "ops", "proof", "src", "testing"],
  stage: ["infra", "kit", "ops", "page", "proof", "src"],
};
/** And tests in some rooms besides; in those not named here, from anywhere. */
const arrowsOfTests: Record<string, string[]> = {
  src: ["kit", "native", "testing"],
  kit: [],
  native: [],
};

const roomOf = (path: string) => (path.includes("/") ? path.slice(0, path.indexOf("/")) : "");

function mayImport(path: string, one: string): boolean {
  const room = roomOf(path);
  if (isEntry(path)) return roomOf(one) === "src";
  if (isTest(path) && room !== "testing" && !(room in arrowsOfTests)) return true;
  const rooms = [room, ...(arrows[room] ?? []), ...((isTest(path) && arrowsOfTests[room]) || [])];
  return rooms.includes(roomOf(one));
}

/** Both rooms and packages that these reach, however far down. */
function reachedBy(entries: string[], atItsStart?: boolean): Set<string> {
  const reached = new Set(entries);
  for (const path of reached)
    if (texts.has(path)) for (const one of importsOf(path, atItsStart)) reached.add(one);
  return reached;
}

test("what runs before the addon is built does not import it, however far down", () => {
  const reached = reachedBy(["infra/test/main.ts", "infra/up.ts", "infra/setup/main.ts", "stage/main.ts"]);
  expect(reached).toContain("infra/brokers/compose.ts");
  expect(reached).not.toContain("src/kafka/addon.ts");
  // One of its faults does, once it strikes.
  expect(reachedBy(["proof/chaos.ts"], true)).not.toContain("src/kafka/addon.ts");
});

test("a command that brings what it needs starts without it: with no package and no addon", () => {
  const bring = ["proof/prove.ts", "proof/load/main.ts", "bench/main.ts", "stage/main.ts", "stage/demo.ts"];
  const reached = reachedBy([...bring, "infra/test/main.ts", "infra/up.ts", "infra/down.ts"], true);
  expect(reached).toContain("infra/setup/prepare.ts");
  expect([...reached].filter((one) => !texts.has(one) && !/^(node|bun):|^bun$/.test(one))).toEqual([]);
});

test("imports point one way: entries to src, tools to kit and src, src and kit to nothing else of ours", () => {
  const wrong = paths.filter(isTypeScript).flatMap((path) =>
    importsOf(path)
      .filter((one) => texts.has(one) && !mayImport(path, one))
      .map((one) => `${path} imports ${one}`),
  );
  expect(wrong).toEqual([]);
});

test("in src the tiers are above all other rooms, and know nothing of each other", () => {
  const tiers = ["src/intake/", "src/handling/"];
  const rooms = ["src/wire/", "src/runtime/", "src/http/", "src/kafka/", "src/ledger/", ...tiers];
  const wrong = paths
    .filter((path) => !isTest(path))
    .flatMap((path) => {
      const room = rooms.find((one) => path.startsWith(one));
      const ups = room === undefined ? [] : tiers.filter((tier) => tier !== room);
      return neighboursOf(path)
        .filter((to) => ups.some((tier) => to.startsWith(tier)))
        .map((to) => `${path} imports ${to}`);
    });
  expect(wrong).toEqual([]);
});

test("no file imports itself, however far around", () => {
  expect(circles()).toEqual([]);
});

test("a folder has few enough files to be read at a glance", () => {
  // The addon is one build: nine files of C and C++, and what compiles, keeps, packs and checks them.
  const larger = { native: 22 } as Record<string, number>;
  const sources = paths.filter((path) => /\.(tsx?|cc|h)$/.test(path) && !/\.test\.tsx?$/.test(path));
  const crowded = [...Map.groupBy(sources, dirname)].filter(
    ([name, { length }]) => length > (larger[name] ?? 16),
  );
  expect(crowded.map(([name, { length }]) => `${name}: ${length}`)).toEqual([]);
});

test("node-rdkafka is known in one place, which looks before it loads it, and where it is built", () => {
  const importers = paths.filter(
    (path) => isTypeScript(path) && !path.startsWith("native/") && !isTest(path),
  );
  expect(importers.filter((path) => importsOf(path).includes("node-rdkafka"))).toEqual([
    "src/kafka/addon.ts",
  ]);
});

test("only src/config.ts reads the environment of the tiers", () => {
  const reads = /process\s*\.\s*env|Bun\s*\.\s*env|import\.meta\.env/;
  expect(occurrences(reads, (path) => ofTiers(path) && !/^src\/config(\.test)?\.ts$/.test(path))).toEqual([]);
});

test("entries fit on a screen, other files on a few", () => {
  const tooLong = paths
    .filter((path) => isTypeScript(path) && !/\.(test|d)\.tsx?$/.test(path))
    .map((path) => ({ path, lines: texts.get(path)?.trimEnd().split("\n").length ?? 0 }))
    .filter(({ path, lines }) => lines > (isEntry(path) ? 60 : 250));
  expect(tooLong).toEqual([]);
});

test("no error is swallowed in silence", () => {
  expect(
    occurrences(/catch\s*(\([^)]*\))?\s*\{\s*\}|\.catch\(\s*\(\w*\)\s*=>\s*\{\s*\}\s*\)/, isTypeScript),
  ).toEqual([]);
});

test("no test is left out: what can't run somewhere is the runner's to say", () => {
  expect(occurrences(/\b(?:test|it|describe)\s*\.\s*(?:skip|only|to\u0064o)/, isTypeScript)).toEqual([]);
});

test("nothing is left to be done later", () => {
  expect(occurrences(/\b(?:TO\u0044O|FIX\u004dE|XX\u0058|HAC\u004b)\b/, () => true)).toEqual([]);
});

test("every test file belongs to exactly one suite", () => {
  const owners = (path: string) => suites.filter(({ files }) => files?.test(path)).map(({ name }) => name);
  const wrong = paths.filter((path) => /\.test\.tsx?$/.test(path) && owners(path).length !== 1);
  expect(wrong).toEqual([]);
});
