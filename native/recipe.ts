// How the addon is made: node-rdkafka and bun_compat, with librdkafka linked in whole, so that the one file also exports
// librdkafka's C API. Its key changes with everything that could change its bytes.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Machine } from "../kit/machine.ts";
import { UserError } from "../kit/user-error.ts";
import { packageDir } from "./addon.ts";
import { compileAddon, compileParts } from "./compile.ts";
import { buildFaults } from "./faults.ts";
import { librdkafka, librdkafkaParts, sources } from "./librdkafka.ts";
import { digest, madeOnce } from "./made-once.ts";
import { versions } from "./versions.ts";

/** What the addon has besides node-rdkafka and librdkafka. */
const ours = ["client_handles.cc", "malloc.cc", "send.cc", "reports.cc", "records.cc", "group.cc"].map(
  (file) => join(import.meta.dir, file),
);
const wrapped = ["rd_kafka_new", "rd_kafka_destroy", "rd_kafka_destroy_flags", "rd_kafka_conf_set_dr_msg_cb"];
const nanDir = join(packageDir, "..", "nan");

/** Changes with whatever the addon is made of, made by, or runs in. */
export function addonKey(): string {
  const packages = [packageDir, nanDir].map((folder) => join(folder, "package.json"));
  const files = [import.meta.path, ...ours, ...packages, ...compileParts, ...librdkafkaParts];
  return digest([process.arch, Bun.version, ...Object.values(versions)], files);
}

/** Makes the addon, unless it was made before, on behalf of any clone; gives its path. */
export async function makeAddon(machine: Machine): Promise<string> {
  const name = "node-librdkafka";
  const folder = await madeOnce(machine, `addon-${addonKey()}`, async (folder) => {
    const faults = await buildFaults(machine);
    if (faults.length > 0)
      throw new UserError(["Missing for the build of node-rdkafka:", ...faults].join("\n  - "));
    const source = await sources(machine);
    const library = await librdkafka(machine, source);
    const files = readdirSync(join(packageDir, "src")).filter((file) => file.endsWith(".cc"));
    await compileAddon(machine, folder, {
      name,
      sources: [...files.map((file) => join(packageDir, "src", file)), ...ours],
      include: [packageDir, nanDir, join(library, "include"), join(source, "node")],
      libraries: [
        ...wrapped.map((name) => `-Wl,--wrap=${name}`),
        "-Wl,--whole-archive",
        ...["librdkafka.a", "librdkafka++.a"].map((file) => join(library, "lib", file)),
        "-Wl,--no-whole-archive",
        ...["-lssl", "-lcrypto", "-lz", "-lzstd", "-lm", "-ldl", "-lpthread", "-lrt"],
      ],
    });
  });
  return join(folder, `${name}.node`);
}
