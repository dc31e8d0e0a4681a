/** Tells this checkout from others on the machine: what tests and benchmarks start by name is its own. */
import { join } from "node:path";

/** Six hex digits. */
export const checkout = Bun.hash(join(import.meta.dir, ".."))
  .toString(16)
  .padStart(16, "0")
  .slice(-6);
