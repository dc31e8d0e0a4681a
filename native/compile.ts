// An addon for Bun from C++ sources: bun_compat before each of them and linked in, Node's headers, no other tool than
// the compiler.
import { rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import type { Machine } from "../kit/machine.ts";
import { showingProgress, step } from "../kit/step.ts";
import { compilerEnv } from "./compiler-env.ts";

const COMPILE_LIMIT_MS = 10 * 60_000;

const here = (file: string) => join(import.meta.dir, file);

/** bun_compat is linked into each addon. */
const linkedIn = ["bun_compat.cc", "bun_globals.cc"];

export interface Addon {
  /** Of the file, without `.node`. */
  name: string;
  sources: string[];
  /** Folders of headers; Node's own among them. */
  include: string[];
  /** What else is linked: files and flags of the linker. */
  libraries?: string[];
}

/** What the result depends on besides the addon's own sources. */
export const compileParts = ["compile.ts", "compiler-env.ts", "bun_compat.h", ...linkedIn].map(here);

/** Compiles the sources, as many at once as there are processors, and links them; gives the addon's path. */
export async function compileAddon(machine: Machine, folder: string, addon: Addon): Promise<string> {
  const { name, include, libraries = [] } = addon;
  const sources = [...addon.sources, ...linkedIn.map(here)];
  const objectOf = (source: string) => join(folder, `${basename(source)}.o`);
  const output = join(folder, `${name}.node`);
  const flags = [
    ...["-std=c++20", "-O2", "-fPIC", "-w", "-include", here("bun_compat.h")],
    ...["-DBUILDING_NODE_EXTENSION", `-DNODE_GYP_MODULE_NAME=${name}`],
    ...include.map((path) => `-I${path}`),
  ];
  const compile = (source: string) => ["c++", ...flags, "-c", source, "-o", objectOf(source)];
  // With `now`, a name that Bun lacks keeps the addon from loading, instead of ending the process amid its work.
  const link = ["c++", "-shared", "-Wl,-z,now,--strip-debug", "-o", output];

  const queue = [...sources];
  const quiet = { ...machine, say: () => {} };
  const options = { limitMs: COMPILE_LIMIT_MS, env: compilerEnv(machine) };
  const worker = async () => {
    for (let source = queue.shift(); source; source = queue.shift())
      await step(quiet, `compiling ${name} ${basename(source)}`, compile(source), options);
  };
  await showingProgress(machine, `compiling ${name}, ${sources.length} files`, async () => {
    const workers = Array.from({ length: availableParallelism() }, () =>
      worker().finally(() => {
        queue.length = 0; // after a failure nobody takes up another
      }),
    );
    const failed = (await Promise.allSettled(workers)).find((worker) => worker.status === "rejected");
    if (failed) throw failed.reason;
  });
  const objects = sources.map(objectOf);
  await step(machine, `linking ${name}`, [...link, ...objects, ...libraries], options);
  for (const object of objects) rmSync(object);
  return output;
}
