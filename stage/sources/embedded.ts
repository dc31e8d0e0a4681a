/**
 * The embedded pipeline of `make demo`: child processes of this one, the brokers librdkafka's mock cluster, without a
 * ZooKeeper. The faults are the same, done to processes instead of containers.
 */
import { readFileSync } from "node:fs";
import type { Container } from "../../infra/topology.ts";
import type { Instance, Pipeline } from "../../proof/demo/pipeline.ts";
import { askCluster, type BrokerPort, type Cluster } from "../../proof/system/cluster.ts";
import type { System } from "../../proof/system/system.ts";
import { askLog, type LogView, whole } from "./kafka.ts";
import { createSqliteLook } from "./ledgers.ts";
import { createInstanceReader, pageOf, type Said } from "./pages.ts";
import type { Look, Seen, Source } from "./source.ts";

/** Of a tier that was asked to end. */
const stopLimitMs = 40_000;

const noNetwork = "only containers (make up) have networks of their own";

/** Opens a pipeline whose consumers have started. */
export function openEmbedded(pipeline: Pipeline): Source {
  const { instances, bootstrap, balancerUrl, statsUrl, ledgerPath, pillars } = pipeline;
  const brokers = bootstrap
    .split(",")
    .map((at, index) => ({ id: index + 1, port: Number(at.split(":")[1]) }));
  const ledger = createSqliteLook(ledgerPath);
  const readers = new Map(instances.map((one) => [one, createInstanceReader(one.url)]));
  const [cluster] = pillars;
  let log: LogView | undefined;
  let hear = () => {};
  const ends = watchEnds(instances, () => hear());

  async function look(): Promise<Look> {
    const [balancer, view, ...said] = await Promise.all([
      pageOf(`${statsUrl}/;csv`),
      askLog(brokers).catch(() => undefined),
      ...instances.map((one) => (hostOf(one) === "running" ? readers.get(one)?.() : undefined)),
    ]);
    log = view;
    const seen = instances.map((one, at) => seenOf(one, ends(one), said[at]));
    const host = cluster?.running ? "running" : "down";
    const why = balancer === undefined ? "does not answer" : "";
    const others: Seen[] = [
      { name: "haproxy", tier: "balancer", host: "running", why },
      ...brokers.map(({ id }): Seen => ({ name: `kafka${id}`, tier: "broker", host, why: "" })),
      { name: "ledger", tier: "ledger", host: "running", why: "" },
    ];
    return { seen: [...seen, ...others], log: view };
  }

  return {
    kind: "embedded",
    url: balancerUrl,
    access: undefined,
    look,
    evidence: {
      look: ledger.look,
      trace: ledger.trace,
      offsets: async () => whole(log),
    },
    system: systemOf(pipeline, brokers, readers),
    containers: async () => new Map(instances.map((one) => [one.name, containerOf(one)])),
    faults: {
      ...{ balancer: [], broker: [], zookeeper: [], ledger: [] },
      producer: ["stop", "kill", "pause"],
      consumer: ["stop", "kill", "pause"],
    },
    withheld: { slow: noNetwork, partition: noNetwork },
    rolling: ["producer", "consumer"],
    scalable: [],
    scale: () => Promise.reject(new Error("the embedded pipeline can not be scaled")),
    command: (what, tier, name) => {
      const meant = instances.filter((one) =>
        name ? one.name === name : what === "heal" || one.tier === tier,
      );
      const signal = { kill: "-9 ", stop: "", restart: "", pause: "-STOP " }[what as "kill"] ?? "-CONT ";
      return meant.map(({ child }) => `kill ${signal}${child.pid}`).join("; ");
    },
    operator: { KAFKA_BROKERS: bootstrap, MIN_INSYNC_REPLICAS: "1", LEDGER_URL: `sqlite:${ledgerPath}` },
    onChange: (listener) => {
      hear = listener;
    },
    close: ledger.close,
  };
}

/** Tells of each end, and then of the next child's: whoever starts one again does so under the same name. */
function watchEnds(instances: readonly Instance[], hear: () => void) {
  const ends = new Map<Instance, string>();
  const watched = new Map<Instance, Instance["child"]>();
  function watch(one: Instance): void {
    const { child } = one;
    if (watched.get(one) === child) return;
    watched.set(one, child);
    void child.ended.then((how) => {
      ends.set(one, how);
      hear();
    });
  }
  for (const one of instances) watch(one);
  /** How it ended last. */
  return (one: Instance): string | undefined => {
    watch(one);
    return ends.get(one);
  };
}

function seenOf(one: Instance, ended: string | undefined, said: Said | undefined): Seen {
  const { name, tier } = one;
  const host = hostOf(one);
  if (host === "down") return { name, tier, host, why: ended === "SIGKILL" ? "killed" : "stopped" };
  if (host === "paused") return { name, tier, host, why: "frozen: answers nobody" };
  return said ? { name, tier, host, ...said } : { name, tier, host, why: "does not answer" };
}

/** What the faults and a rolling restart use of a system, and no more. */
function systemOf(
  pipeline: Pipeline,
  brokers: readonly BrokerPort[],
  readers: ReadonlyMap<Instance, () => Promise<Said | undefined>>,
): System {
  const { instances } = pipeline;
  const of = ({ name }: Container): Instance => {
    const found = instances.find((one) => one.name === name);
    if (!found) throw new Error(`there is no ${name}`);
    return found;
  };
  const signal = (name: NodeJS.Signals) => async (one: Container) => of(one).child.signal(name);
  const withHealth = async (one: Instance): Promise<Container> => ({
    ...containerOf(one),
    health: (await pageOf(`${one.url}/readyz`)) === undefined ? "starting" : "healthy",
  });
  /** The mock cluster has no word for its group: its members are asked for what they own. */
  async function viewOf(): Promise<Cluster> {
    const view = await askCluster(brokers);
    const consumers = instances.filter(({ tier }) => tier === "consumer");
    const said = await Promise.all(consumers.map((one) => readers.get(one)?.()));
    const owned = said.map((one) => one?.reading.owned.size ?? 0);
    const ours = view.partitions.filter(({ topic }) => topic === "orders").length;
    const isWhole = owned.reduce((sum, some) => sum + some, 0) === ours;
    return {
      ...view,
      // It has no controller either.
      controller: Math.max(1, view.controller),
      groupState: isWhole ? "Stable" : "PreparingRebalance",
      members: owned.filter((some) => some > 0).length,
    };
  }
  const topology = {
    kill: (one: Container, name = "KILL") => signal(`SIG${name}` as NodeJS.Signals)(one),
    pause: signal("SIGSTOP"),
    unpause: signal("SIGCONT"),
    start: async (one: Container) => pipeline.restart(of(one)),
    stop: async (one: Container) => {
      const { child } = of(one);
      child.signal("SIGTERM");
      await Promise.race([child.ended, Bun.sleep(stopLimitMs)]);
    },
  };
  return {
    topology,
    again: async (some: Container[]) => some.map(of).map(containerOf),
    containers: () => Promise.all(instances.map(withHealth)),
    views: async () => [await viewOf()],
  } as unknown as System;
}

const containerOf = (one: Instance): Container => ({
  ...{ id: one.name, name: one.name, service: one.tier, health: "", exitCode: 0, ports: [] },
  state: ({ running: "running", paused: "paused", down: "exited" } as const)[hostOf(one)],
});

/** Also when somebody else stopped it: by the kernel's account. Source: proc(5), /proc/pid/stat. */
function hostOf({ child }: Instance): Seen["host"] {
  if (!child.running) return "down";
  try {
    return /\) T /.test(readFileSync(`/proc/${child.pid}/stat`, "utf8")) ? "paused" : "running";
  } catch {
    return "down";
  }
}
