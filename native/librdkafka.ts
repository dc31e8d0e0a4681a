// librdkafka as a static library, and Node's headers: what the addon is made of besides node-rdkafka. Their packages
// have a manifest and a lock of their own in deps/, and are fetched only where something is to be built.
import { cpSync, readFileSync, renameSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, dirname, join } from "node:path";
import type { Machine } from "../kit/machine.ts";
import { step } from "../kit/step.ts";
import { UserError } from "../kit/user-error.ts";
import { compilerEnv } from "./compiler-env.ts";
import { digest, madeOnce } from "./made-once.ts";
import { mends } from "./mends/librdkafka.ts";
import { mendAll } from "./mends/mend.ts";
import { versions } from "./versions.ts";

const INSTALL_LIMIT_MS = 10 * 60_000;
const CONFIGURE_LIMIT_MS = 5 * 60_000;
const COMPILE_LIMIT_MS = 20 * 60_000;

const here = (file: string) => join(import.meta.dir, file);

const manifest = ["deps/package.json", "deps/bun.lock"].map(here);

/** What configure leaves out in silence where it can't be linked. */
const wanted = ["WITH_SSL", "WITH_SASL_SCRAM", "WITH_ZLIB", "WITH_ZSTD"];

const mending = ["librdkafka", "others", "mend"].map((file) => here(`mends/${file}.ts`));
/** What both results below depend on, and so the addon. */
export const librdkafkaParts = [...manifest, ...mending, here("compiler-env.ts"), import.meta.path];

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

/** Static libraries in `lib`, headers in `include`. */
export function librdkafka(machine: Machine, source: string): Promise<string> {
  const title = `librdkafka ${versions.librdkafka}`;
  return madeOnce(machine, `librdkafka-${digest([process.arch], librdkafkaParts)}`, async (folder) => {
    const tree = join(folder, "tree");
    cpSync(join(source, "librdkafka"), tree, { recursive: true });
    mendAll(tree, mends, title);
    const options = { cwd: tree, env: compilerEnv(machine) };
    const configure = [
      ...["bash", "configure", "--enable-static"],
      // What one machine happens to have must not decide what the result needs.
      ...["--disable-gssapi", "--disable-curl", "--disable-lz4-ext", "--disable-debug-symbols"],
    ];
    await step(machine, `configuring ${title}`, configure, { ...options, limitMs: CONFIGURE_LIMIT_MS });
    const config = readFileSync(join(tree, "config.h"), "utf8");
    const lacking = wanted.filter((feature) => !config.includes(`#define ${feature} 1\n`));
    if (lacking.length > 0) throw new UserError(`${title}: configure found no ${lacking.join(", ")}.`);

    // Only the libraries: the package lacks the examples, and making the shared ones would take Python.
    for (const library of ["src/librdkafka.a", "src-cpp/librdkafka++.a"]) {
      const make = ["make", `-j${availableParallelism()}`, "-C", dirname(library), basename(library)];
      const limitMs = COMPILE_LIMIT_MS;
      await step(machine, `compiling ${title} (${dirname(library)})`, make, { ...options, limitMs });
      cpSync(join(tree, library), join(folder, "lib", basename(library)));
    }
    for (const header of ["src/rdkafka.h", "src-cpp/rdkafkacpp.h"])
      cpSync(join(tree, header), join(folder, "include", basename(header)));
    rmSync(tree, { recursive: true });
  });
}
