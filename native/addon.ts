// Where the built addon lies: one file, in which node-rdkafka, librdkafka and librdkafka++ are linked together.
// node-rdkafka loads it as an addon, and bun:ffi opens the very same file for librdkafka's C API. A stamp beside
// it says what it is, and is there only once the addon has been seen to work.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

/** The installed node-rdkafka. */
export const packageDir = join(import.meta.dir, "..", "node_modules", "node-rdkafka");

/** The addon, at the place where node-rdkafka looks for it. */
export const addonPath = join(packageDir, "build", "Release", "node-librdkafka.node");

const stampPath = join(dirname(addonPath), "node-librdkafka.json");

interface Stamp {
  /** Changes with everything that goes into the addon. */
  key: string;
  /** The Bun that it was built for and seen to work with. */
  bun: string;
  /** Of the addon's bytes. */
  sha256: string;
}

/** Whether the addon of this key is in its place, byte for byte, and has been seen to work. */
export function isReady(key: string): boolean {
  if (!existsSync(stampPath) || !existsSync(addonPath)) return false;
  const stamp: Stamp = JSON.parse(readFileSync(stampPath, "utf8"));
  return stamp.key === key && stamp.sha256 === sha256(addonPath);
}

/** Puts a built addon in its place, whole or not at all, whoever else does the same or has it open. */
export function put(built: string): void {
  rmSync(stampPath, { force: true });
  mkdirSync(dirname(addonPath), { recursive: true });
  whole(addonPath, (fresh) => copyFileSync(built, fresh));
}

/** Says that the addon in its place has been seen to work. */
export function markReady(key: string): void {
  const stamp: Stamp = { key, bun: Bun.version, sha256: sha256(addonPath) };
  whole(stampPath, (fresh) => writeFileSync(fresh, `${JSON.stringify(stamp, null, 2)}\n`));
}

function whole(path: string, write: (fresh: string) => void): void {
  const fresh = `${path}.${process.pid}`;
  try {
    write(fresh);
    renameSync(fresh, path);
  } finally {
    rmSync(fresh, { force: true });
  }
}

function sha256(path: string): string {
  return new Bun.CryptoHasher("sha256").update(readFileSync(path)).digest("hex");
}
