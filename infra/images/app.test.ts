import { expect, test } from "bun:test";
import { dirname, join, relative } from "node:path";
import { appFiles } from "./app.ts";

const root = join(import.meta.dir, "..", "..");
const text = (path: string) => Bun.file(join(root, path)).text();

/** A file and all of ours that it imports, however far. */
async function closure(path: string, seen = new Set<string>()): Promise<Set<string>> {
  if (seen.has(path)) return seen;
  seen.add(path);
  if (!path.endsWith(".ts")) return seen;
  for (const one of new Bun.Transpiler({ loader: "ts" }).scanImports(await text(path)))
    if (one.path.startsWith(".")) await closure(relative(root, join(root, dirname(path), one.path)), seen);
  return seen;
}

const commands = ["topics", "ledger", "rights", "warm-up"].map((name) => `ops/${name}.ts`);
const run = ["producer.ts", "consumer.ts", ...commands];
const built = ["native/build.ts", "native/smoke.ts"];

/** Of ours, what these import and no copy has brought. */
async function missing(copied: string[], entries: string[]): Promise<string[]> {
  const needed = new Set<string>();
  for (const entry of entries) await closure(entry, needed);
  const isThere = (path: string) => copied.some((one) => path === one || path.startsWith(`${one}/`));
  return [...needed].filter((path) => !isThere(path));
}

const copiedIn = (stage: string) =>
  [...stage.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, files = ""]) => files.split(" "));

test("whatever the image runs is let into its build, and no test is", async () => {
  const files = await appFiles();
  expect(await missing(files, [...run, ...built])).toEqual([]);
  expect(files.filter((path) => path.includes(".test.") || path.includes("node_modules"))).toEqual([]);
});

test("the layer of the native addon has what its build runs, and nothing of src: that it may change", async () => {
  const [, build = "", image = ""] = (await text("infra/images/app/Dockerfile")).split(/^FROM /m);
  const copied = copiedIn(build.slice(0, build.indexOf("native/build.ts")));
  expect(await missing(copied, built)).toEqual([]);
  expect(copied.filter((one) => one.includes("src"))).toEqual([]);
  expect(await missing(copiedIn(image), run)).toEqual([]);
});

test("the image has the Bun that the project is pinned to", async () => {
  const { packageManager } = await Bun.file(join(root, "package.json")).json();
  const version = packageManager.replace("bun@", "");
  expect(await text("infra/compose.yaml")).toContain(`oven/bun:${version}-slim`);
  expect(await text("infra/images/app/Dockerfile")).toContain(`oven/bun:${version}-slim`);
});
