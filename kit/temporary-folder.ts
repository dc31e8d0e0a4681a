/** For entries: a folder of their own among the temporary files. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Makes one; ends the process with 1 and why where there can be none. */
export function temporaryFolder(prefix: string): string {
  try {
    return mkdtempSync(join(tmpdir(), prefix));
  } catch (error) {
    console.error(`No folder can be made in ${tmpdir()}: ${(error as Error).message}\nTMPDIR names another.`);
    return process.exit(1);
  }
}
