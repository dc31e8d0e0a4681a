// A long step shows that it is alive, and why it failed. A quick one says nothing.
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { type RunOptions, run } from "./child.ts";
import { cachePath, type Machine, withTools } from "./machine.ts";
import { UserError } from "./user-error.ts";

const QUIET_MS = 1_000;
const TAIL_LINES = 30;

/** Runs a program as a step of set-up, its output in a log whose end is shown if it fails. */
export async function step(
  machine: Machine,
  title: string,
  argv: string[],
  options: Pick<RunOptions, "limitMs" | "cwd" | "env">,
): Promise<void> {
  const log = cachePath(machine, "logs", `${title.replace(/\W+/g, "-").toLowerCase()}.log`);
  const output = opened(log);
  try {
    const { exitCode, timedOut } = await showingProgress(machine, title, () =>
      run(argv, { env: withTools(machine), ...options, stop: machine.stop, output }),
    );
    if (exitCode === 0) return;
    const reason = timedOut ? `not done after ${seconds(options.limitMs)}` : `exit code ${exitCode}`;
    throw new UserError(`${title}: ${reason}. The end of ${log}:\n${await tail(log)}`);
  } finally {
    closeSync(output);
  }
}

/** A log, from its beginning. @throws UserError where it can't be kept */
function opened(log: string): number {
  try {
    mkdirSync(dirname(log), { recursive: true });
    return openSync(log, "w");
  } catch (error) {
    throw new UserError(
      `Nothing can be kept in ${dirname(log)}: ${(error as Error).message}\nXDG_CACHE_HOME names another place.`,
    );
  }
}

/** Tells what `work` is busy with, for how long, and what it took, once it has taken longer than a moment. */
export async function showingProgress<T>(
  machine: Machine,
  title: string,
  work: () => Promise<T>,
): Promise<T> {
  const started = performance.now();
  const elapsed = () => seconds(performance.now() - started);
  let shown = false;
  let everyMs = QUIET_MS;
  const show = () => {
    machine.say(shown ? `  ${title} ... ${elapsed()}` : `  ${title} ...`);
    shown = true;
    everyMs = Math.min(everyMs * 2, 30_000);
    timer = setTimeout(show, everyMs);
  };
  let timer = setTimeout(show, everyMs);
  try {
    const result = await work();
    if (shown) machine.say(`  ${title}: ${elapsed()}`);
    return result;
  } finally {
    clearTimeout(timer);
  }
}

/** The last lines of a log. */
export async function tail(path: string): Promise<string> {
  return (await Bun.file(path).text()).trimEnd().split("\n").slice(-TAIL_LINES).join("\n");
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
