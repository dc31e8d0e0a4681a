// The machine as set-up sees it, in one place and handed down, so that a test can set up a machine that has nothing.
import { globSync } from "node:fs";
import { dirname, join } from "node:path";
import "./loopback.ts";

export interface Machine {
  env: Record<string, string | undefined>;
  /** Where programs are found that are not on the PATH, as globs. */
  elsewhere: string[];
  /** May install for everyone. */
  root: boolean;
  stop: AbortSignal;
  say(line: string): void;
}

/** The one we run on, the Bun that runs us first on its PATH. What set-up says goes to standard error: standard output is the command's own. */
export function thisMachine(stop = new AbortController().signal): Machine {
  return {
    env: { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` },
    // Debian's server binaries, its versioned Go, and system programs, which an ordinary user's PATH lacks.
    elsewhere: ["/usr/lib/postgresql/*/bin", "/usr/local/go/bin", "/usr/lib/go-*/bin", "/usr/sbin", "/sbin"],
    root: process.getuid?.() === 0,
    stop,
    say: (line) => console.error(line),
  };
}

/** Where what was built or fetched once is kept, for every clone of the project. */
export function cachePath(machine: Machine, ...parts: string[]): string {
  const root = machine.env.XDG_CACHE_HOME || join(machine.env.HOME ?? "/", ".cache");
  return join(root, "coffee-orders", ...parts);
}

/** The environment in which every program that set-up saw to is found by its name. */
export function withTools(machine: Machine): Record<string, string | undefined> {
  const newestFirst = machine.elsewhere.flatMap((glob) => globSync(glob).sort().reverse());
  const path = [cachePath(machine, "bin"), machine.env.PATH, ...newestFirst];
  return { ...machine.env, PATH: path.filter(Boolean).join(":") };
}

/** The path of a program, or undefined. */
export function which(machine: Machine, program: string): string | undefined {
  return Bun.which(program, { PATH: withTools(machine).PATH ?? "" }) ?? undefined;
}

/** What a short program prints, or undefined if it isn't there, fails or takes longer than ten seconds. */
export async function ask(machine: Machine, program: string, ...args: string[]): Promise<string | undefined> {
  const path = which(machine, program);
  if (!path) return undefined;
  const child = Bun.spawn([path, ...args], {
    env: { ...withTools(machine), LC_ALL: "C" },
    stdin: "ignore",
    stderr: "ignore",
    timeout: 10_000,
    killSignal: "SIGKILL",
  });
  const printed = await new Response(child.stdout).text();
  return (await child.exited) === 0 ? printed.trim() : undefined;
}

/** Whether a version as programs and packages print it ("k6 v1.8.1", "2:1.19~1") is at least `minimum` ("1.21"). */
export function isAtLeast(version: string, minimum: string): boolean {
  const [major = -1, minor = 0] = numbers(version);
  const [minMajor = 0, minMinor = 0] = numbers(minimum);
  return major > minMajor || (major === minMajor && minor >= minMinor);
}

function numbers(version: string): number[] {
  const withoutEpoch = version.replace(/^\d+:/, "");
  return (/\d+\.\d+|\d+/.exec(withoutEpoch)?.[0].split(".") ?? []).map(Number);
}
