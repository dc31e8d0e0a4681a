// Runs a program to its end in a process group of its own, so that nothing hangs and nothing stays behind: its
// whole tree is ended at its time limit, when we are told to stop, and whatever it left running when it is done.

import { UserError } from "./user-error.ts";

const living = new Set<number>();
/** Within it two signals are one: a Ctrl-C comes twice, from the terminal and from `bun run`, which hands it on. */
const echoMs = 200;

export interface RunOptions {
  limitMs: number;
  stop: AbortSignal;
  /** For a program that was told to end, before it is killed. */
  graceMs?: number;
  cwd?: string;
  env?: Record<string, string | undefined>;
  /** Where both outputs go: ours, or an open file. */
  output?: "inherit" | number;
}

export interface Ending {
  exitCode: number;
  timedOut: boolean;
}

/** Runs `argv`; rejects with the reason of `stop` if that is set off before the program has ended. */
export async function run(argv: string[], options: RunOptions): Promise<Ending> {
  const { limitMs, stop, graceMs = 10_000, cwd, env, output = "inherit" } = options;
  stop.throwIfAborted();
  const child = Bun.spawn(argv, {
    ...(cwd && { cwd }),
    ...(env && { env }),
    detached: true,
    stdin: "ignore",
    stdout: output,
    stderr: output,
  });
  living.add(child.pid);
  let ending: Promise<void> | undefined;
  const end = () => {
    // Once: to an entry of ours, a second time means at once.
    ending ??= endGroup(child.pid, graceMs);
    return ending;
  };
  let timedOut = false;
  const limit = setTimeout(() => {
    timedOut = true;
    end();
  }, limitMs);
  stop.addEventListener("abort", end);
  try {
    const exitCode = await child.exited;
    stop.throwIfAborted();
    return { exitCode, timedOut };
  } finally {
    stop.removeEventListener("abort", end);
    clearTimeout(limit);
    await end();
    living.delete(child.pid);
  }
}

/**
 * For entries: a signal that is set off when we are told to stop, so that every `run` ends and every `finally`
 * cleans up. A second time ends us at once, and the children with us.
 */
export function stopWhenTold(): AbortSignal {
  const controller = new AbortController();
  let toldMs = Number.NEGATIVE_INFINITY;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (performance.now() - toldMs < echoMs) return;
      if (controller.signal.aborted) process.exit(130);
      toldMs = performance.now();
      controller.abort(new Stopped(signal));
    });
  }
  process.on("exit", () => {
    for (const pid of living) signalGroup(pid, "SIGKILL");
  });
  return controller.signal;
}

/**
 * Before a program's words: the kernel kills it when we die, be it by SIGKILL. setpriv asks for that, which lasts across exec;
 * the shell then makes sure that we had not died already.
 */
export const tied: readonly string[] = [
  ...["setpriv", "--pdeathsig", "KILL", "--", "sh", "-c", '[ "$PPID" = "$0" ] && exec "$@"'],
  String(process.pid),
];

/** Why a `run` has no ending: somebody wanted us to stop. */
export class Stopped extends Error {
  constructor(signal: string) {
    super(`stopped by ${signal}`);
  }
}

/** For entries: ends with 1 and why, in an error's own words, or that we were told to stop. @throws any other: a defect has its stack */
export function endInWords(error: unknown, say: (words: string) => void = console.error): void {
  if (!(error instanceof UserError || error instanceof Stopped)) throw error;
  say(error.message);
  process.exitCode = 1;
}

/** Asks all of a group to end, so that each can end what it started in a group of its own; kills who doesn't. */
async function endGroup(leaderPid: number, graceMs: number): Promise<void> {
  const deadline = performance.now() + graceMs;
  signalGroup(leaderPid, "SIGTERM");
  while (signalGroup(leaderPid, 0) && performance.now() < deadline) await Bun.sleep(20);
  signalGroup(leaderPid, "SIGKILL");
}

/** False if there is nobody left in the group. */
export function signalGroup(leaderPid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-leaderPid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    return false;
  }
}
