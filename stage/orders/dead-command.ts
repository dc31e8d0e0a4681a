/**
 * The operator's own command (ops/dead) in a process of its own: the stage starts where node-rdkafka is not built, and what
 * strangers wrote is never read in it. One at a time, and few that wait.
 */
import { join } from "node:path";
import { capture } from "../../kit/capture.ts";
import { Refused } from "../refused.ts";

const entry = join(import.meta.dir, "..", "..", "ops", "dead", "main.ts");
const lookLimitMs = 60_000;
const mostWaiting = 4;

/** @param env for the command: where the brokers and the ledger are; undefined: it can't be run here */
export function createDeadCommand(env: Record<string, string> | undefined, stop: AbortSignal) {
  let turn: Promise<unknown> = Promise.resolve();
  let waiting = 0;

  /** What the command printed. @throws Refused with its words */
  return async (args: string[], limitMs = lookLimitMs, onLine: (line: string) => void = () => {}) => {
    if (!env) throw new Refused("dead letters can't be read here");
    if (waiting >= mostWaiting) throw new Refused("others are looking: try again");
    waiting += 1;
    const done = turn.then(() => capture([process.execPath, entry, ...args], { limitMs, env, onLine, stop }));
    const next = () => {
      waiting -= 1;
    };
    turn = done.then(next, next);
    const { code, stdout, stderr } = await done;
    if (code === 0) return stdout;
    const lastWords = stderr.trim().split("\n").at(-1);
    throw new Refused(lastWords?.replace(/^dead: /, "") || `exit code ${code}`);
  };
}
