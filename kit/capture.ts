// Short commands whose output is the answer: each has a bound, and a failing one says what it was and how it
// ended, so that no script hangs on a daemon that does not answer, and none goes on after a step that failed. Each has
// a process group of its own: a Ctrl-C in the terminal is for us, and whoever waits for the command sees its true end.
import { signalGroup } from "./child.ts";
import { UserError } from "./user-error.ts";

const usualGraceMs = 10_000;

export interface CaptureOptions {
  limitMs: number;
  /** For a command that was told to end, before it is killed. */
  graceMs?: number;
  cwd?: string;
  env?: Record<string, string | undefined>;
  /** Called with each line as it comes, of both streams: for progress. */
  onLine?: (line: string) => unknown;
  /** Ends the command early, as its bound would. */
  stop?: AbortSignal;
}

export interface Captured {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a command to its end and returns what it said; codes as in a shell: 124 overran its limit, 127 not there. */
export async function capture(argv: string[], options: CaptureOptions): Promise<Captured> {
  const env = { ...process.env, ...options.env };
  const { graceMs = usualGraceMs } = options;
  if (!Bun.which(argv[0] ?? "", { PATH: env.PATH ?? "" })) {
    return { code: 127, stdout: "", stderr: `${argv[0]} is not installed` };
  }
  const bound = AbortSignal.timeout(options.limitMs);
  const child = Bun.spawn(argv, {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    detached: true,
    env,
    ...(options.cwd && { cwd: options.cwd }),
  });
  const early = options.stop ? AbortSignal.any([bound, options.stop]) : bound;
  // All of it: what the command itself started holds its output open.
  let killing: Timer | undefined;
  const end = () => {
    signalGroup(child.pid, "SIGTERM");
    killing = setTimeout(signalGroup, graceMs, child.pid, "SIGKILL");
  };
  if (early.aborted) end();
  early.addEventListener("abort", end);
  const [stdout, stderr] = await Promise.all([
    read(child.stdout, options.onLine),
    read(child.stderr, options.onLine),
  ]);
  const code = await child.exited;
  early.removeEventListener("abort", end);
  clearTimeout(killing);
  if (code !== 0 && bound.aborted) {
    return { code: 124, stdout, stderr: `${stderr}\nnot done after ${options.limitMs / 1000} s` };
  }
  return { code, stdout, stderr };
}

/**
 * Runs a command that has to succeed, and returns what it wrote to standard output.
 * @throws UserError with the command, how it ended and what it said last
 */
export async function must(argv: string[], options: CaptureOptions): Promise<string> {
  const { code, stdout, stderr } = await capture(argv, options);
  if (code === 0) return stdout.trimEnd();
  const end = `${stdout}\n${stderr}`.trim().split("\n").slice(-15).join("\n  ");
  throw new UserError(`${argv.slice(0, 8).join(" ")}: exit code ${code}\n  ${end}`);
}

async function read(stream: ReadableStream<Uint8Array>, onLine?: (line: string) => unknown): Promise<string> {
  let text = "";
  let seen = 0;
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf("\n", seen); onLine && end >= 0; end = text.indexOf("\n", seen)) {
      onLine(text.slice(seen, end).trimEnd());
      seen = end + 1;
    }
  }
  return text;
}
