// Results that take long to make, kept for every clone of the project. A result is there whole or not at all: it is
// made in a folder of its own and then renamed, so that two who make the same one at once do not harm each other.
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from "node:fs";
import { join } from "node:path";
import { cachePath, type Machine } from "../kit/machine.ts";

const KEPT_UNUSED_MS = 30 * 24 * 60 * 60_000;

/** The folder of the result of this name, which has to change with whatever it is made of; made if it is not there. */
export async function madeOnce(
  machine: Machine,
  name: string,
  make: (folder: string) => Promise<void>,
): Promise<string> {
  const shelf = cachePath(machine, "native");
  const folder = join(shelf, name);
  if (!existsSync(folder)) {
    mkdirSync(shelf, { recursive: true });
    discardUnused(shelf);
    const fresh = mkdtempSync(`${folder}.`);
    try {
      await make(fresh);
      if (!existsSync(folder)) renameSync(fresh, folder);
    } catch (error) {
      if (!existsSync(folder)) throw error; // else somebody was quicker with the same
    } finally {
      rmSync(fresh, { recursive: true, force: true });
    }
  }
  const now = new Date();
  utimesSync(folder, now, now);
  return folder;
}

/** A short digest of texts and of files, for a name. */
export function digest(texts: string[], files: string[]): string {
  const hash = createHash("sha256");
  for (const text of texts) hash.update(`${text}\n`);
  for (const file of files) hash.update(readFileSync(file));
  return hash.digest("hex").slice(0, 16);
}

/** Results of old versions, and what was left unfinished. */
function discardUnused(shelf: string): void {
  for (const name of readdirSync(shelf)) {
    const age = Date.now() - (statSync(join(shelf, name), { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age > KEPT_UNUSED_MS) rmSync(join(shelf, name), { recursive: true, force: true });
  }
}
