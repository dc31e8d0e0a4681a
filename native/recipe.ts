// How the addon is made: node-rdkafka and bun_compat, with librdkafka linked in whole, so that the one file also exports
// librdkafka's C API. Its key changes with everything that could change its bytes.
import { cpSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Machine } from "../kit/machine.ts";
import { UserError } from "../kit/user-error.ts";
import { packageDir } from "./addon.ts";
import { compileAddon, compileParts } from "./compile.ts";
import { buildFaults } from "./faults.ts";
import { librdkafka, librdkafkaParts, sources } from "./librdkafka.ts";
import { digest, madeOnce } from "./made-once.ts";
import { type Mend, mendAll } from "./mends/mend.ts";
import { versions } from "./versions.ts";

/** What the addon has besides node-rdkafka and librdkafka. */
const ours = ["client_handles.cc", "malloc.cc", "send.cc", "reports.cc", "records.cc", "group.cc"].map(
  (file) => join(import.meta.dir, file),
);
const wrapped = ["rd_kafka_new", "rd_kafka_destroy", "rd_kafka_destroy_flags", "rd_kafka_conf_set_dr_msg_cb"];
const nanDir = join(packageDir, "..", "nan");

/** What is changed in node-rdkafka's code. */
const mends: readonly Mend[] = [
  /** Who asks about a topic makes a handle of it, which was never given back: all that there is of the topic stayed. */
  {
    file: "connection.cc",
    wrong: "  if (err == RdKafka::ERR_NO_ERROR) {\n    return Baton(metadata);",
    right: "  delete topic;\n  if (err == RdKafka::ERR_NO_ERROR) {\n    return Baton(metadata);",
  },
  /** It was also given back, and offsets were waited for, while another thread destroyed the client. */
  {
    file: "connection.cc",
    wrong: "  RdKafka::Topic* topic = NULL;\n  RdKafka::ErrorCode err;\n",
    right:
      "  scoped_shared_read_lock whole(m_connection_lock);\n  RdKafka::Topic* topic = NULL;\n  RdKafka::ErrorCode err;\n",
  },
  {
    file: "kafka-consumer.cc",
    wrong: "Committed(std::vector<RdKafka::TopicPartition*> &toppars,\n  int timeout_ms) {\n",
    right:
      "Committed(std::vector<RdKafka::TopicPartition*> &toppars,\n  int timeout_ms) {\n  scoped_shared_read_lock lock(m_connection_lock);\n",
  },
  /** A consumer left its group only when all that was being looked up had its answer. Now that is waited for afterwards. */
  {
    file: "kafka-consumer.cc",
    wrong: `    {
      scoped_shared_write_lock lock(m_connection_lock);

      RdKafka::KafkaConsumer* consumer =
        dynamic_cast<RdKafka::KafkaConsumer*>(m_client);
      err = consumer->close();

`,
    right: `    err = dynamic_cast<RdKafka::KafkaConsumer*>(m_client)->close();
    {
      scoped_shared_write_lock lock(m_connection_lock);
`,
  },
];

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
    const tree = join(folder, "src");
    cpSync(join(packageDir, "src"), tree, { recursive: true });
    mendAll(tree, mends, `node-rdkafka ${versions.nodeRdkafka}`);
    const files = readdirSync(tree).filter((file) => file.endsWith(".cc"));
    await compileAddon(machine, folder, {
      name,
      sources: [...files.map((file) => join(tree, file)), ...ours],
      include: [packageDir, nanDir, join(library, "include"), join(source, "node")],
      libraries: [
        ...wrapped.map((name) => `-Wl,--wrap=${name}`),
        "-Wl,--whole-archive",
        ...["librdkafka.a", "librdkafka++.a"].map((file) => join(library, "lib", file)),
        "-Wl,--no-whole-archive",
        ...["-lssl", "-lcrypto", "-lz", "-lzstd", "-lm", "-ldl", "-lpthread", "-lrt"],
      ],
    });
    rmSync(tree, { recursive: true });
  });
  return join(folder, `${name}.node`);
}
