// librdkafka as a static library, and Node's headers: what the addon is made of besides node-rdkafka. Their packages
// have a manifest and a lock of their own in deps/, and are fetched only where something is to be built.
import { cpSync, readdirSync, renameSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import type { Machine } from "../infra/setup/machine.ts";
import { step } from "../infra/setup/step.ts";
import { compilerEnv } from "./compile.ts";
import { digest, madeOnce } from "./made-once.ts";
import { versions } from "./versions.ts";

const INSTALL_LIMIT_MS = 10 * 60_000;
const CONFIGURE_LIMIT_MS = 5 * 60_000;
const COMPILE_LIMIT_MS = 20 * 60_000;

const here = (file: string) => join(import.meta.dir, file);

const manifest = ["deps/package.json", "deps/bun.lock"].map(here);

/** What both results below depend on, and so the addon. */
export const librdkafkaParts = [...manifest, import.meta.path];

/** Node's headers, and librdkafka's source, in folders `node` and `librdkafka`. */
export function sources(machine: Machine): Promise<string> {
  return madeOnce(machine, `sources-${digest([process.arch], librdkafkaParts)}`, async (folder) => {
    for (const file of manifest) cpSync(file, join(folder, basename(file)));
    const install = [process.execPath, "install", "--frozen-lockfile", "--ignore-scripts"];
    await step(machine, "fetching the sources of librdkafka", install, {
      limitMs: INSTALL_LIMIT_MS,
      cwd: folder,
    });
    const packages = join(folder, "node_modules");
    const kafka = join(packages, "@confluentinc", "kafka-javascript");
    renameSync(join(packages, `node-linux-${process.arch}`, "include", "node"), join(folder, "node"));
    renameSync(join(kafka, "deps", "librdkafka"), join(folder, "librdkafka"));
    for (const rest of [packages, join(folder, "node", "openssl")]) rmSync(rest, { recursive: true });
  });
}

/** Static libraries in `lib`, headers in `include/librdkafka`. */
export function librdkafka(machine: Machine, source: string): Promise<string> {
  const title = `librdkafka ${versions.librdkafka}`;
  return madeOnce(machine, `librdkafka-${digest([process.arch], librdkafkaParts)}`, async (folder) => {
    const tree = join(folder, "tree");
    cpSync(join(source, "librdkafka"), tree, { recursive: true });
    const env = compilerEnv(machine);
    const configure = [
      ...["bash", "configure", "--enable-static"],
      // What one machine happens to have must not decide what the result needs.
      ...["--disable-gssapi", "--disable-curl", "--disable-lz4-ext", "--disable-debug-symbols"],
    ];
    await step(machine, `configuring ${title}`, configure, { limitMs: CONFIGURE_LIMIT_MS, cwd: tree, env });
    // Only the libraries: the package lacks the examples, and making the shared ones would take Python.
    for (const [part, library] of [
      ["src", "librdkafka.a"],
      ["src-cpp", "librdkafka++.a"],
    ] as const) {
      const make = ["make", `-j${availableParallelism()}`, "-C", part, library];
      await step(machine, `compiling ${title} (${part})`, make, {
        limitMs: COMPILE_LIMIT_MS,
        cwd: tree,
        env,
      });
      for (const file of readdirSync(join(tree, part))) {
        if (file === library) cpSync(join(tree, part, file), join(folder, "lib", file));
        if (file.startsWith("rdkafka") && file.endsWith(".h"))
          cpSync(join(tree, part, file), join(folder, "include", "librdkafka", file));
      }
    }
    rmSync(tree, { recursive: true });
  });
}
