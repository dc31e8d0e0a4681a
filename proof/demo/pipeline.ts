// The topology as child processes of ours: the mock cluster, then the balancer, three producers and three
// consumers, each tier's own entry with its own settings. A consumer's death is noticed as soon as Kafka allows.
import { join } from "node:path";
import { anotherPort, freePorts, isTaken } from "../../kit/ports.ts";
import { comesTrue } from "../../kit/until.ts";
import { UserError } from "../../kit/user-error.ts";
import { type Child, lastWords, type Processes } from "./processes.ts";
import type { DemoSettings } from "./settings.ts";

const root = join(import.meta.dir, "..", "..");
const bootstrapLimitMs = 20_000;
const numbers = [1, 2, 3] as const;

export type InstanceTier = "producer" | "consumer";

/** One producer or consumer; it keeps its name and port over restarts. */
export interface Instance {
  readonly name: string;
  readonly tier: InstanceTier;
  /** Its name in the balancer. */
  readonly server: string;
  readonly url: string;
  /** The process that it is now. */
  child: Child;
}

export interface Pipeline {
  instances: Instance[];
  /** What everything else rests on: none of these is started again. */
  pillars: Child[];
  /** Where the brokers listen, as clients take it. */
  bootstrap: string;
  balancerUrl: string;
  statsUrl: string;
  ledgerPath: string;
  /** Starts an instance that has ended; one that runs is left alone. */
  restart(instance: Instance): void;
}

/** @throws UserError when a port is taken, or when there are no brokers */
export async function startPipeline(
  settings: DemoSettings,
  processes: Processes,
  folder: string,
  stop: AbortSignal,
): Promise<Pipeline> {
  const { lbPort, lbStatsPort, ports } = await choosePorts(settings);
  const brokers = processes.start({
    name: "mock-cluster",
    argv: [process.execPath, join(root, "native", "mock-server.ts")],
  });
  const bootstrap = await bootstrapOf(brokers, stop);
  const ledgerPath = join(folder, "ledger.sqlite");

  const programs = (["producer", "consumer"] as const).flatMap((tier) =>
    numbers.map((number) => {
      const port = ports.pop();
      const env = {
        INSTANCE: `${tier}-${number}`,
        HTTP_PORT: String(port),
        KAFKA_BROKERS: bootstrap,
        // The mock cluster can't be asked for more: its replicas are bookkeeping.
        MIN_INSYNC_REPLICAS: "1",
        ...(tier === "producer"
          ? { DRAIN_NOTICE_MS: "0" } // ended only when the client has stopped
          : { LEDGER_URL: `sqlite:${ledgerPath}`, SESSION_TIMEOUT_MS: "6000" }),
      };
      const argv = [process.execPath, join(root, `${tier}.ts`)];
      return { name: env.INSTANCE, tier, number, argv, env, address: `127.0.0.1:${port}` };
    }),
  );
  const start = (name: string) => {
    const program = programs.find((one) => one.name === name);
    if (!program) throw new Error(`there is no ${name}`);
    return processes.start(program);
  };
  const instances = programs.map(({ name, tier, number, address }) => ({
    name,
    tier,
    server: `${tier}${number}`,
    url: `http://${address}`,
    child: start(name),
  }));

  const balancer = processes.start({
    name: "balancer",
    argv: ["haproxy", "-db", "-f", join(root, "lb", "haproxy.cfg")],
    env: {
      LB_PORT: String(lbPort),
      LB_STATS_BIND: `127.0.0.1:${lbStatsPort}`,
      LB_FRESH: "1",
      LB_KEY_SECRET: Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64"),
      ...Object.fromEntries(
        programs.map(({ tier, number, address }) => [`${tier.toUpperCase()}_${number}`, address]),
      ),
    },
  });

  return {
    instances,
    pillars: [brokers, balancer],
    bootstrap,
    balancerUrl: `http://127.0.0.1:${lbPort}`,
    statsUrl: `http://127.0.0.1:${lbStatsPort}`,
    ledgerPath,
    restart(instance) {
      if (!instance.child.running) instance.child = start(instance.name);
    },
  };
}

async function choosePorts(settings: DemoSettings) {
  const { lbPort, lbStatsPort } = settings;
  const taken: [string, number][] = [];
  for (const [variable, port] of [["LB_PORT", lbPort] as const, ["LB_STATS_PORT", lbStatsPort] as const])
    if (port !== 0 && (await isTaken(port))) taken.push([variable, port]);
  if (taken.length > 0) {
    const example = taken.map(([variable, port]) => `${variable}=${anotherPort(port)}`).join(" ");
    throw new UserError(
      [
        ...taken.map(([variable, port]) => `Port ${port} of 127.0.0.1 is taken; ${variable} moves it.`),
        `For example: ${example} make demo`,
      ].join("\n"),
    );
  }
  const names = Array.from({ length: 2 * numbers.length + 4 }, (_, index) => `port ${index}`);
  const ports = Object.values(await freePorts(names))
    .map(Number)
    .filter((port) => port !== lbPort && port !== lbStatsPort);
  return { lbPort: lbPort || ports.pop(), lbStatsPort: lbStatsPort || ports.pop(), ports };
}

/** The address of a mock cluster that starts. @throws UserError when it does not */
export async function bootstrapOf(brokers: Child, stop: AbortSignal): Promise<string> {
  const said = () => /^[\d.]+:\d+(,[\d.]+:\d+)*$/m.exec(brokers.output())?.[0];
  await comesTrue(() => stop.aborted || !brokers.running || said() !== undefined, bootstrapLimitMs);
  stop.throwIfAborted();
  const bootstrap = said();
  if (!bootstrap) throw new UserError(`The mock cluster did not start:\n${lastWords(brokers)}`);
  return bootstrap;
}
