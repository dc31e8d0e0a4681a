/**
 * A tier as a process of its own, as it runs in production: it gets the variables that the test gives and no
 * others, is seen only through its logs, its HTTP and its exit code, and never outlives the test.
 */
import { join } from "node:path";
import { eachLine } from "../kit/lines.ts";
import { until } from "../kit/until.ts";

const root = join(import.meta.dir, "..");

/** One line of a tier's log. */
export type LogLine = { level: string; msg: string } & Record<string, unknown>;

export type TierProcess = {
  readonly pid: number;
  /** What it logged so far. */
  readonly log: readonly LogLine[];
  readonly exited: Promise<number>;
  /** Everything it wrote to standard error so far. */
  stderr(): string;
  signal(signal: NodeJS.Signals): void;
  /** Sends it again and again. @returns the exit code */
  toldToTheEnd(signal: NodeJS.Signals): Promise<number>;
  /** Asks it over HTTP; waits until it listens. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** Waits until /readyz answers 200. The mock cluster's group takes rounds of a session each, several for a newcomer. */
  ready(timeoutMs?: number): Promise<void>;
  /** The sum of a metric over all its labels, as /metrics has it now. */
  metric(name: string): Promise<number>;
  [Symbol.asyncDispose](): Promise<void>;
};

/** Starts a tier on a free port; of the project's own tree, or of another. */
export function startTier(
  entry: "producer" | "consumer" | "testing/hanging-consumer",
  env: Record<string, string>,
  tree = root,
): TierProcess {
  const child = Bun.spawn([process.execPath, join(tree, `${entry}.ts`)], {
    cwd: tree,
    env: { HTTP_PORT: "0", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const log: LogLine[] = [];
  let errors = "";
  const streams = [
    eachLine(child.stdout, (line) => log.push(JSON.parse(line))),
    eachLine(child.stderr, (line) => {
      errors += `${line}\n`;
    }),
  ];
  const exited = Promise.all([child.exited, ...streams]).then(([code]) => code);
  const url = () =>
    until(`the ${entry} listens\n${errors}`, () => {
      if (child.exitCode !== null) throw new Error(`the ${entry} ended with ${child.exitCode}: ${errors}`);
      return log.find(({ msg }) => msg === "listening")?.url as string | undefined;
    });
  const get = async (path: string, init?: RequestInit) => fetch(new URL(path, await url()), init);

  return {
    pid: child.pid,
    log,
    exited,
    stderr: () => errors,
    signal: (signal) => child.kill(signal),
    async toldToTheEnd(signal) {
      await until(`the ${entry} ends`, () => child.kill(signal) ?? child.exitCode !== null);
      return exited;
    },
    fetch: get,
    async ready(timeoutMs = 60_000) {
      await until(`the ${entry} is ready`, async () => (await get("/readyz")).ok, timeoutMs);
    },
    async metric(name) {
      return sumOf(await (await get("/metrics")).text(), name);
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** The sum of a metric over all its labels in a Prometheus text; 0 while it has no value. */
export function sumOf(text: string, name: string): number {
  const values = text.split("\n").flatMap((line) => {
    const [, found, value] = /^([a-z_]+)(?:\{.*\})? (\S+)$/.exec(line) ?? [];
    return found === name ? [Number(value)] : [];
  });
  if (!text.includes(`# TYPE ${name.replace(/_(count|sum|bucket)$/, "")} `) && values.length === 0)
    throw new Error(`there is no metric ${name}`);
  return values.reduce((sum, value) => sum + value, 0);
}
