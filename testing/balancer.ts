/**
 * The real HAProxy with the real configuration, as a process on free ports, seen through its answers and its own
 * statistics. Ends with the test.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../kit/until.ts";

/** The configuration under test. */
export const configPath = join(import.meta.dir, "..", "lb", "haproxy.cfg");

/** A row of HAProxy's statistics: one server, a backend or a frontend. */
export type StatisticsRow = Record<string, string>;

export type Balancer = {
  readonly port: number;
  readonly operatorsPort: number;
  readonly pid: number;
  /** What it wrote so far. */
  log(): string;
  /** The lines of its access log so far. */
  accessLog(): string[];
  signal(signal: NodeJS.Signals): void;
  /** The statistics of a server, or of all of "BACKEND" or "FRONTEND". */
  row(proxy: string, server: string): Promise<StatisticsRow>;
  /** Waits until the producer with this number, from 1, is up or not. */
  producerIs(number: number, state: "UP" | "DOWN", timeoutMs?: number): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

/**
 * Starts it and waits until it has checked every server.
 * @param options.producers, options.consumers their ports
 * @param options.replace texts of the configuration that the test wants otherwise, shorter time limits for example
 */
export async function startBalancer(options: {
  producers: number[];
  consumers?: number[];
  env?: Record<string, string>;
  replace?: Record<string, string>;
}): Promise<Balancer> {
  const { producers, consumers = [], env = {}, replace = {} } = options;
  const folder = mkdtempSync(join(tmpdir(), "coffee-orders-haproxy-"));
  const config = join(folder, "haproxy.cfg");
  const accessLog = join(folder, "access.log");
  writeFileSync(config, configWith(replace));
  const port = fixedPort();
  const operatorsPort = fixedPort();
  const child = Bun.spawn([haproxy(), "-dW", "-W", "-db", "-f", config], {
    env: {
      LB_PORT: String(port),
      LB_STATS_BIND: `127.0.0.1:${operatorsPort}`,
      LB_KEY_SECRET: keySecret,
      LB_FRESH: "1",
      ...addresses("PRODUCER", producers),
      ...addresses("CONSUMER", consumers),
      ...env,
    },
    stdin: "ignore",
    stdout: Bun.file(accessLog),
    stderr: "pipe",
  });
  let log = "";
  const logged = (async () => {
    for await (const bytes of child.stderr) log += Buffer.from(bytes).toString();
  })();

  async function rows(): Promise<StatisticsRow[]> {
    const csv = await (await fetch(`http://127.0.0.1:${operatorsPort}/;csv`)).text();
    const [names = [], ...lines] = csv
      .trim()
      .split("\n")
      .map((line) => line.replace(/^# /, "").split(","));
    return lines.map((values) => Object.fromEntries(names.map((name, at) => [name, values[at] ?? ""])));
  }

  const balancer: Balancer = {
    port,
    operatorsPort,
    pid: child.pid,
    log: () => log,
    accessLog: () => readFileSync(accessLog, "utf8").split("\n").slice(0, -1),
    signal: (signal) => child.kill(signal),
    async row(proxy, server) {
      const found = (await rows()).find(({ pxname, svname }) => pxname === proxy && svname === server);
      if (!found) throw new Error(`no statistics of ${proxy}/${server}`);
      return found;
    },
    async producerIs(number, state, timeoutMs) {
      await until(
        `producer${number} is ${state}\n${log}`,
        async () => (await balancer.row("producers", `producer${number}`)).status === state,
        timeoutMs,
      );
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await Promise.all([child.exited, logged]);
      rmSync(folder, { recursive: true });
    },
  };
  try {
    await until(`HAProxy has checked its servers\n${log}`, async () => {
      if (child.exitCode !== null) throw new Error(`HAProxy ended with ${child.exitCode}: ${log}`);
      const found = await rows().catch(() => undefined);
      // "* INI" while the first one is under way.
      return found?.every(({ check_status: status = "" }) => !status.endsWith("INI"));
    });
  } catch (error) {
    await balancer[Symbol.asyncDispose]();
    throw error;
  }
  return balancer;
}

/** As LB_KEY_SECRET wants it; the same in every run, so that a key leads to the same producer in each. */
export const keySecret = Buffer.alloc(32, 1).toString("base64");

/** HAProxy's program, which Debian keeps outside the PATH of ordinary users. */
export function haproxy(): string {
  const path = Bun.which("haproxy", { PATH: `${Bun.env.PATH}:/usr/sbin:/usr/local/sbin` });
  if (!path) throw new Error("HAProxy is not installed");
  return path;
}

/** HAProxy shares a port with whoever lets it, also with itself: none is given twice. */
const given = new Set<number>();

/**
 * A free port below those that the system hands out by itself, so that it stays free until it is wanted; of a range that test
 * processes side by side do not share.
 */
export function fixedPort(): number {
  for (;;) {
    const port = 20_000 + 500 * (process.pid % 20) + Math.floor(Math.random() * 500);
    if (given.has(port)) continue;
    given.add(port);
    try {
      Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } }).stop(true);
      return port;
    } catch {
      // Taken: the next one.
    }
  }
}

function configWith(replace: Record<string, string>): string {
  let text = readFileSync(configPath, "utf8");
  for (const [from, to] of Object.entries(replace)) {
    if (!text.includes(from)) throw new Error(`the configuration has no «${from}»`);
    text = text.replaceAll(from, to);
  }
  return text;
}

const addresses = (tier: string, ports: number[]) =>
  Object.fromEntries(ports.map((port, at) => [`${tier}_${at + 1}`, `127.0.0.1:${port}`]));
