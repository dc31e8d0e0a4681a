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

test("whatever the image runs is let into its build, and no test is", async () => {
  const files = await appFiles();
  for (const entry of ["producer.ts", "consumer.ts", "ops/topics.ts", "native/build.ts", "native/smoke.ts"])
    expect([...(await closure(entry))].filter((path) => !files.includes(path))).toEqual([]);
  expect(files.filter((path) => path.includes(".test.") || path.includes("node_modules"))).toEqual([]);
});

test("the layer of the native addon has what its build runs, and nothing of src: that it may change", async () => {
  const [build = ""] = (await text("infra/images/app/Dockerfile")).split(/^FROM .* AS build$/m).slice(1);
  const before = build.slice(0, build.indexOf("native/build.ts")).matchAll(/^COPY (.*) \S+$/gm);
  const copied = [...before].flatMap(([, files = ""]) => files.split(" "));
  const run = [...(await closure("native/build.ts"))];
  const isThere = (path: string) => copied.some((one) => path === one || path.startsWith(`${one}/`));
  expect(run.filter((path) => !isThere(path))).toEqual([]);
  expect(copied.filter((one) => one.includes("src"))).toEqual([]);
});

test("the image has the Bun that the project is pinned to", async () => {
  const { packageManager } = await Bun.file(join(root, "package.json")).json();
  const version = packageManager.replace("bun@", "");
  expect(await text("infra/compose.yaml")).toContain(`oven/bun:${version}-slim`);
  expect(await text("infra/images/app/Dockerfile")).toContain(`oven/bun:${version}-slim`);
});
