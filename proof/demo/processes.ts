// Child processes that can't outlive us, whatever way we end: the kernel kills them when we die, be it by SIGKILL.
// Each is in a session of its own, so that a Ctrl-C is ours alone to act upon, and writes to a log of its own.
import { closeSync, mkdtempSync, openSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tied } from "../../kit/child.ts";
import { thisMachine, withTools } from "../../kit/machine.ts";

export interface Program {
  name: string;
  argv: string[];
  env?: Record<string, string>;
  /** Writes to the terminal, instead of a log. */
  shown?: boolean;
}

export interface Child {
  readonly name: string;
  readonly pid: number;
  readonly running: boolean;
  /** Resolves when it has ended, with how: "exit code 1", "SIGKILL". */
  readonly ended: Promise<string>;
  /** All that it wrote so far. */
  output(): string;
  signal(name: NodeJS.Signals): void;
}

export type Processes = ReturnType<typeof createProcesses>;

/** All that a child inherits: none of the tiers' own variables, which may be set for another cluster. */
const inherited = ["HOME", "TMPDIR", "TZ", "LANG", "LD_LIBRARY_PATH"];

/** @param folder for their logs; it is also where they run */
export function createProcesses(folder: string) {
  const living = new Set<Child>();
  const environment = {
    ...Object.fromEntries(inherited.map((name) => [name, process.env[name]])),
    // HAProxy may lie where an ordinary user's PATH does not lead.
    PATH: withTools(thisMachine()).PATH,
  };

  return {
    start({ name, argv, env = {}, shown = false }: Program): Child {
      const log = join(folder, `${name}.log`);
      const output = openSync(log, "a");
      const spawned = Bun.spawn([...tied, ...argv], {
        cwd: folder,
        env: { ...environment, ...env },
        detached: true,
        stdin: "ignore",
        stdout: shown ? "inherit" : output,
        stderr: shown ? "inherit" : output,
      });
      closeSync(output);
      const child: Child = {
        name,
        pid: spawned.pid,
        get running() {
          return living.has(child);
        },
        ended: spawned.exited.then((code) => {
          living.delete(child);
          return String(spawned.signalCode ?? `exit code ${code}`);
        }),
        output: () => readFileSync(log, "utf8"),
        signal: (signal) => spawned.kill(signal),
      };
      living.add(child);
      return child;
    },

    /** Asks these to end, or all, and kills whoever has not within `graceMs`. */
    async stop(graceMs: number, children: readonly Child[] = [...living]): Promise<void> {
      const signal = (name: NodeJS.Signals) => {
        for (const child of children) child.signal(name);
      };
      signal("SIGTERM");
      const kill = setTimeout(signal, graceMs, "SIGKILL");
      await Promise.all(children.map(({ ended }) => ended));
      clearTimeout(kill);
    },

    /** Kills all, at once. */
    kill(): void {
      for (const child of living) child.signal("SIGKILL");
    },
  };
}

/** A folder of their own, for entries: ends this process with 1 and why where there can be none. */
export function temporaryFolder(prefix: string): string {
  try {
    return mkdtempSync(join(tmpdir(), prefix));
  } catch (error) {
    console.error(`No folder can be made in ${tmpdir()}: ${(error as Error).message}\nTMPDIR names another.`);
    return process.exit(1);
  }
}

/** The last lines of what a child wrote, indented. */
export function lastWords(child: Child, lines = 10): string {
  const said = child.output().trimEnd().split("\n").slice(-lines);
  return said.map((line) => `  | ${line.slice(0, 400)}`).join("\n");
}
