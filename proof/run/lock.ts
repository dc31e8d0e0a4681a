// One proof at a time on a topology: two would strike and heal each other's victims, and neither would prove a thing.
// The lock is a file that names its process; one that no longer lives holds nothing.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { UserError } from "../../kit/user-error.ts";

/** Holds the lock until it is disposed of. @throws UserError when another process that lives has it */
export function lock(path: string): Disposable {
  for (;;)
    try {
      writeFileSync(path, String(process.pid), { flag: "wx" });
      return { [Symbol.dispose]: () => rmSync(path, { force: true }) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      const holder = holderOf(path);
      if (holder !== undefined)
        throw new UserError(
          `Another proof runs on this topology: process ${holder}. If that is none, remove ${path}`,
        );
      rmSync(path, { force: true });
    }
}

/** The process that holds it; undefined: it has ended, or has just given it back. */
function holderOf(path: string): number | undefined {
  try {
    const pid = Number(readFileSync(path, "utf8"));
    // Who creates the file names itself a moment later.
    if (pid === 0) return 0;
    process.kill(pid, 0);
    return pid;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ESRCH" || code === "ENOENT") return undefined;
    // It lives, and is somebody else's.
    if (code === "EPERM") return Number(readFileSync(path, "utf8"));
    throw error;
  }
}
