/** Programs that outlive us. */
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Starts one in a process group of its own.
 * @param options.log the file that both of its outputs go to, from its beginning
 */
export function startInBackground(
  argv: string[],
  options: { log: string; env: Record<string, string | undefined>; cwd?: string | undefined },
) {
  const { log, env, cwd } = options;
  mkdirSync(dirname(log), { recursive: true });
  const output = openSync(log, "w");
  const child = Bun.spawn(argv, {
    env,
    ...(cwd && { cwd }),
    detached: true,
    stdin: "ignore",
    stdout: output,
    stderr: output,
  });
  closeSync(output);
  child.unref();
  return {
    pid: child.pid,
    kill: (signal: NodeJS.Signals): void => child.kill(signal),
    /** By itself or by a signal. */
    ended: (): boolean => child.exitCode !== null || child.signalCode !== null,
  };
}
