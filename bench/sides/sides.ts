/** The programs that are compared: each a process of its own that takes orders over HTTP and can say how many it accepted. */
import { join } from "node:path";
import { comesTrue } from "../../kit/until.ts";
import { fixedPort, startBalancer } from "../../testing/balancer.ts";
import { sumOf } from "../../testing/tier-process.ts";
import { setPaused } from "../rig/processes.ts";
import { goPeer, peerNode, peerScript } from "./peers.ts";

const root = join(import.meta.dir, "..", "..");
const readyLimitMs = 30_000;
const askLimitMs = 10_000;

export type Accepted = { orders: number; copies: number };

/** A program, or several behind a balancer. */
export type Side = {
  name: string;
  /** Where the load goes. */
  port: number;
  /** The processes whose cost counts, by what they are. */
  pids: Record<string, number[]>;
  /** How many orders were accepted, by its own count, and how many of them it sent once more. */
  accepted(): Promise<Accepted>;
  /** Orders that it accepts are on the topic. */
  appends: boolean;
  stop(): Promise<void>;
};

type Program = {
  argv: string[];
  env?: Record<string, string>;
  /** Orders that it accepts are not on the topic. */
  withoutKafka?: true;
  /** It has the product's metrics; else it says at /accepted how many it accepted. */
  metrics?: true;
  /** Takes minutes to make. */
  compiled?: true;
};

const bun = process.execPath;
/** Batches may have half of what may be in flight: so thirty requests of a hundred orders fit, as ever. */
const product = (env: Record<string, string> = {}): Program => ({
  argv: [bun, join(root, "producer.ts")],
  metrics: true,
  env: { MAX_IN_FLIGHT_ORDERS: "8000", ...env },
});
const nodePeer = (name: string): Program => ({ argv: [peerNode, peerScript(name)] });

/** Every side by its name. */
export const programs = {
  "coffee-orders": product(),
  "coffee-orders, by customer": product({ PARTITIONER: "customer" }),
  "no Kafka": { argv: [bun, join(import.meta.dir, "ceiling.ts")], withoutKafka: true, metrics: true },
  floor: { argv: [bun, join(import.meta.dir, "floor.ts")], withoutKafka: true },
  "Fastify + @platformatic/kafka": nodePeer("platformatic"),
  "Go + franz-go": { argv: [goPeer], compiled: true },
  "Go + franz-go, by customer": { argv: [goPeer], env: { BY_CUSTOMER: "1" }, compiled: true },
} satisfies Record<string, Program>;

export type SideName = keyof typeof programs;

/** Whether it is there without minutes of compiling. */
export const isScript = (name: SideName): boolean => !("compiled" in programs[name]);

/** Starts one and waits until it is ready. @param env where the brokers are, and settings of the product's */
export async function startSide(name: SideName, env: Record<string, string>): Promise<Side> {
  const program: Program = programs[name];
  const port = fixedPort();
  const child = Bun.spawn(program.argv, {
    cwd: root,
    env: { PATH: process.env.PATH, ...env, ...program.env, HTTP_PORT: String(port) },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "inherit",
  });
  const url = `http://127.0.0.1:${port}`;
  const side: Side = {
    name,
    port,
    pids: { producer: [child.pid] },
    appends: !program.withoutKafka,
    async accepted() {
      if (!program.metrics) return { orders: Number(await (await ask(`${url}/accepted`)).text()), copies: 0 };
      const metrics = await (await ask(`${url}/metrics`)).text();
      const accepted = metrics.replaceAll(/^(?!.*outcome="accepted").*\n/gm, "");
      return {
        orders: sumOf(accepted, "orders_outcomes_total"),
        copies: sumOf(metrics, "orders_republished_total"),
      };
    },
    async stop() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
  try {
    const ready = await comesTrue(async () => {
      if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}`);
      return isReady(url);
    }, readyLimitMs);
    if (!ready) throw new Error(`${name} is not ready after ${readyLimitMs} ms`);
    return side;
  } catch (error) {
    await side.stop();
    throw error;
  }
}

/** A side behind the project's balancer. */
export type BalancedSide = Side & {
  /** How often the balancer has taken one of the programs out so far. */
  ejected(): Promise<number>;
};

/** Starts some of one kind behind the project's balancer. */
export async function startBalanced(
  name: SideName,
  count: number,
  env: Record<string, string>,
): Promise<BalancedSide> {
  const servers: Side[] = [];
  const stopServers = () => Promise.all(servers.map((server) => server.stop()));
  try {
    for (let n = 0; n < count; n += 1) servers.push(await startSide(name, env));
    const balancer = await startBalancer({ producers: servers.map(({ port }) => port) });
    return {
      name: `HAProxy, ${count} × ${name}`,
      port: balancer.port,
      pids: { producers: servers.flatMap(({ pids }) => Object.values(pids).flat()), haproxy: [balancer.pid] },
      appends: true,
      async accepted() {
        const all = await Promise.all(servers.map((server) => server.accepted()));
        return {
          orders: all.reduce((sum, { orders }) => sum + orders, 0),
          copies: all.reduce((sum, { copies }) => sum + copies, 0),
        };
      },
      async ejected() {
        const each = await Promise.all(
          servers.map((_, n) =>
            balancer.row("producers", `producer${n + 1}`).then((row) => Number(row.chkdown)),
          ),
        );
        return each.reduce((sum, times) => sum + times, 0);
      },
      async stop() {
        // Told to end, one that stands still would not.
        setPaused([balancer.pid], false);
        await balancer[Symbol.asyncDispose]();
        await stopServers();
      },
    };
  } catch (error) {
    await stopServers();
    throw error;
  }
}

const ask = (url: string) => fetch(url, { signal: AbortSignal.timeout(askLimitMs) });

async function isReady(url: string): Promise<boolean> {
  try {
    return (await ask(`${url}/readyz`)).ok;
  } catch (error) {
    // Not listening so far.
    if ((error as { code?: string }).code === "ECONNREFUSED") return false;
    throw error;
  }
}
