/** A process of a benchmark that is spoken to by lines, and speaks by lines. */
import { join } from "node:path";
import { linesOf } from "../../kit/lines.ts";

export type Worker = ReturnType<typeof startWorker>;

/** @param script in bench/sides/ */
export function startWorker(script: string, args: string[], env: Record<string, string | undefined>) {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "..", "sides", script), ...args], {
    env: { PATH: process.env.PATH, ...env },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const lines = linesOf(child.stdout);
  return {
    pid: child.pid,
    /** What it says. */
    lines,
    tell(word: string): void {
      child.stdin.write(`${word}\n`);
      child.stdin.flush();
    },
    /** Waits for its next line, which must be this one. */
    async says(word: string, limitMs: number, stop: AbortSignal): Promise<void> {
      const bound = AbortSignal.any([stop, AbortSignal.timeout(limitMs)]);
      const ended = new Promise<never>((_, reject) =>
        bound.addEventListener("abort", () => reject(bound.reason)),
      );
      const { value } = await Promise.race([lines.next(), ended]);
      if (value !== word) throw new Error(`${script} said ${value}, and not ${word}`);
    },
    async stop(): Promise<void> {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}
