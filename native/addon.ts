// Where the built addon lies: the one file in which node-rdkafka, librdkafka and librdkafka++ are linked
// together. node-rdkafka loads it as an addon, bun:ffi opens the very same file for librdkafka's C API.
import { join } from "node:path";

/** Root of the repository. */
export const root = join(import.meta.dir, "..");

/** The installed node-rdkafka package. */
export const packageDir = join(root, "node_modules", "node-rdkafka");

/** The addon, at the place where node-rdkafka looks for it. */
export const addonPath = join(packageDir, "build", "Release", "node-librdkafka.node");
