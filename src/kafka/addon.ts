/**
 * node-rdkafka, and librdkafka's C API beside it, lie in one addon that is built for the Bun that runs it. Where it is missing, or
 * another Bun's, in which it could crash, the program ends and says what to do. So everybody has node-rdkafka from here.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const folder = join(import.meta.dir, "../../node_modules/node-rdkafka/build/Release");
/** Beside the addon once it has been seen to work (native/addon.ts). */
const stamp = join(folder, "node-librdkafka.json");
/** The addon, which is also a shared library that has librdkafka's C API. */
export const library = join(folder, "node-librdkafka.node");

const built = existsSync(stamp) && existsSync(library);
const bun = built && (JSON.parse(readFileSync(stamp, "utf8")) as { bun: string }).bun;
if (bun !== Bun.version) {
  const fault = bun
    ? `was built for Bun ${bun}, and this is Bun ${Bun.version}`
    : "has not been built here for Bun";
  process.stderr.write(`node-rdkafka ${fault}: run «bun run native»; «make setup» brings a compiler first\n`);
  process.exit(1);
}

// Here and not above: what is imported with «from» is loaded before anything of this file runs.
import Kafka = require("node-rdkafka");
export default Kafka;
