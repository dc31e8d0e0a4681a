/**
 * What an everyday order costs: the containers of `make up` on a project of their own, under the load of `bun run load`; and
 * after them the same with the best peer's producer and a plain consumer, which keeps no ledger, in the tiers' places.
 * CPU is the kernel's own count: by control group for each container, by process for the load generator and for Docker's
 * processes with those that they started, which are its health checks and its proxy. Neighbours do not count.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Topology } from "../../infra/topology.ts";
import { must } from "../../kit/capture.ts";
import { checkout } from "../../kit/checkout.ts";
import { thisMachine } from "../../kit/machine.ts";
import { ascending, percentile } from "../../kit/percentile.ts";
import type { ClientAnswer } from "../../proof/client/answers.ts";
import { startLoadRun } from "../../proof/load/run.ts";
import { withTopology } from "../../proof/run/topology.ts";
import { type ResultRow, spreads } from "../results.ts";
import { brief, type Context, type Effort } from "../rig/compare.ts";
import type { Figures } from "../rig/measure.ts";
import { goPeer } from "../sides/peers.ts";

const rates = [50, 200, 500, 1_000];
const coldRate = 500;
const returnRate = 300;
/** After a broker's return this long passes before its orders count, and so long they are counted. */
const settleMs = 10_000;
const brokerAwayMs = 15_000;
const afterReturnSeconds = 60;
/** What `kinds` does not name is of no cost. */
const kinds = {
  kafka: "brokers",
  zookeeper: "ZooKeeper",
  producer: "producers",
  consumer: "consumers",
  postgres: "PostgreSQL",
  haproxy: "HAProxy",
} as const;
const dockers: ReadonlySet<string> = new Set(["dockerd", "containerd", "containerd-shim", "docker-proxy"]);
const ticksPerSecond = 100;
const inspectLimitMs = 10_000;

/** Cold, idle, at each rate `--rounds` times, and through a broker's death and return; the peer idle and at each rate. */
export async function measureTopology({ effort, stop, say }: Omit<Context, "brokers">): Promise<ResultRow[]> {
  const machine = thisMachine(stop);
  const out = join(import.meta.dir, "../../out");
  const fresh = {
    project: `coffee-orders-bench-topology-${checkout}`,
    fresh: true,
    fillable: false,
    out,
  };
  const rows: ResultRow[] = [];
  const on = async (topology: Topology, side: string) => {
    const { LB_PORT } = await topology.ports();
    const url = `http://127.0.0.1:${LB_PORT}`;
    return {
      groups: await groupsOf(topology),
      effort,
      send: (rate: number, durationSeconds: number) =>
        startLoadRun({ url, profile: "steady", rate, durationSeconds, stop }).done,
      add(load: string, rounds: Figures[]): void {
        rows.push({ side, load, figures: spreads(rounds) });
        say(`${side}, ${load}: ${brief(rounds.at(-1) as Figures)}`);
      },
    };
  };
  await withTopology(machine, fresh, async (topology) => {
    const ours = await on(topology, "make up");
    ours.add(`cold, ${coldRate}/s`, [latencies((await ours.send(coldRate, secondsOf(effort))).answers)]);
    await measureEveryday(ours);
    if (!effort.quick)
      ours.add(`${returnRate}/s, a broker killed and back`, [await brokerReturn(topology, ours.send)]);
  });
  if (effort.quick) return rows;
  const override = join(out, "bench-topology-peer.json");
  await Bun.write(override, JSON.stringify(peerTiers));
  await withTopology(machine, { ...fresh, overrides: [override] }, async (topology) =>
    measureEveryday(await on(topology, "Go + franz-go")),
  );
  return rows;
}

/** Laid over compose.yaml: the peer in Go as both tiers. */
const inGo = (environment: Record<string, string>) => ({
  entrypoint: ["/peer"],
  command: [],
  volumes: [`${goPeer}:/peer:ro`],
  environment: { ORDERS_TOPIC: "orders", ...environment },
});
const peerTiers = { services: { producer: inGo({}), consumer: inGo({ CONSUME: "1" }) } };

type Send = (rate: number, durationSeconds: number) => Promise<{ answers: ClientAnswer[] }>;
type Measured = {
  groups: ReadonlyMap<string, readonly string[]>;
  effort: Effort;
  send: Send;
  add: (load: string, rounds: Figures[]) => void;
};

const secondsOf = ({ quick, seconds }: Effort) => (quick ? 5 : Math.max(20, seconds));

/** Idle, and at each rate. */
async function measureEveryday({ groups, effort, send, add }: Measured): Promise<void> {
  const seconds = secondsOf(effort);
  if (!effort.quick) await send(200, effort.warmUpSeconds);
  add("idle", [await idle(groups, seconds)]);
  for (const rate of effort.quick ? rates.slice(0, 1) : rates) {
    const rounds: Figures[] = [];
    for (let round = 1; round <= effort.rounds; round += 1) {
      const before = cpu(groups);
      const { answers } = await send(rate, seconds);
      rounds.push({ ...perOrder(before, cpu(groups), answers.length), ...latencies(answers) });
    }
    add(`${rate}/s`, rounds);
  }
}

async function brokerReturn(topology: Topology, send: Send): Promise<Figures> {
  const [broker] = await topology.containers("kafka1");
  if (!broker) throw new Error("there is no kafka1");
  const load = send(returnRate, (brokerAwayMs + settleMs) / 1_000 + afterReturnSeconds);
  await Bun.sleep(brokerAwayMs / 2);
  await topology.kill(broker);
  await Bun.sleep(brokerAwayMs / 2);
  await topology.start(broker);
  const returnedMs = Date.now();
  const { answers } = await load;
  const { "first tries failed": failed } = latencies(answers);
  const after = answers.filter(({ startedMs }) => startedMs >= returnedMs + settleMs);
  return { ...latencies(after), "first tries failed": failed as number };
}

/** In ms of CPU an order. */
type Cpu = Record<string, number>;

/** CPU seconds so far, by kind. */
function cpu(groups: ReadonlyMap<string, readonly string[]>): Cpu {
  const used = Object.fromEntries(
    [...groups].map(([kind, all]) => [kind, all.reduce((sum, group) => sum + groupSeconds(group), 0)]),
  );
  const all = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const docker = all
    .filter((pid) => dockers.has(nameOf(pid)))
    .reduce((sum, pid) => sum + processSeconds(pid), 0);
  return { ...used, Docker: docker, "load generator": processSeconds("self") };
}

function perOrder(before: Cpu, after: Cpu, orders: number): Figures {
  const each = Object.keys(after).map(
    (kind) => [kind, (1_000 * ((after[kind] ?? 0) - (before[kind] ?? 0))) / orders] as const,
  );
  const all = each.reduce((sum, [kind, ms]) => (kind === "load generator" ? sum : sum + ms), 0);
  const named = each.map(([kind, ms]) => [`${kind} ms`, ms]);
  return { "CPU ms an order": all, ...Object.fromEntries(named) };
}

async function idle(groups: ReadonlyMap<string, readonly string[]>, seconds: number): Promise<Figures> {
  const before = cpu(groups);
  await Bun.sleep(1_000 * seconds);
  const after = cpu(groups);
  const shares = Object.keys(after).map((kind) => {
    const used = (after[kind] ?? 0) - (before[kind] ?? 0);
    return [`${kind} %`, (100 * used) / seconds] as const;
  });
  return { "% of a core": shares.reduce((sum, [, share]) => sum + share, 0), ...Object.fromEntries(shares) };
}

function latencies(answers: readonly ClientAnswer[]): Figures {
  const took = ascending(answers.map(({ startedMs, endedMs }) => endedMs - startedMs));
  return {
    "p50 ms": percentile(took, 50),
    "p99 ms": percentile(took, 99),
    "longest ms": percentile(took, 100),
    "first tries failed": answers.filter(({ firstStatus }) => firstStatus !== 202).length,
  };
}

/** The control groups of the containers, by kind. */
async function groupsOf(topology: Topology): Promise<Map<string, string[]>> {
  const groups = new Map<string, string[]>();
  for (const { id, service } of await topology.containers()) {
    const kind = kinds[service.replace(/\d$/, "") as keyof typeof kinds];
    if (kind === undefined) continue;
    const pid = await must(["docker", "inspect", "--format", "{{.State.Pid}}", id], {
      limitMs: inspectLimitMs,
    });
    groups.set(kind, [...(groups.get(kind) ?? []), groupOf(Number(pid))]);
  }
  return groups;
}

/** cgroups(7): version 1 has a hierarchy for each controller, version 2 has one for all. */
function groupOf(pid: number): string {
  const lines = readFileSync(`/proc/${pid}/cgroup`, "utf8").split("\n");
  const first = lines.find((line) => /^\d+:(\w+,)*cpuacct(,\w+)*:/.test(line));
  const path = (first ?? lines.find((line) => line.startsWith("0::")) ?? "").split(":")[2];
  return first ? `/sys/fs/cgroup/cpuacct${path}/cpuacct.usage` : `/sys/fs/cgroup${path}/cpu.stat`;
}

/** A container that is killed and started again has another process, and counts from nothing. */
function groupSeconds(group: string): number {
  const text = readFileSync(group, "utf8");
  return group.endsWith("cpu.stat") ? Number(/^usage_usec (\d+)/m.exec(text)?.[1]) / 1e6 : Number(text) / 1e9;
}

/** Empty for one that has ended meanwhile. */
const statOf = (pid: string): string =>
  existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, "utf8") : "";

/** As the kernel has it, at most 15 characters. */
const nameOf = (pid: string): string => /\((.*)\)/.exec(statOf(pid))?.[1] ?? "";

/** Of a process and all that it has started and that have ended. */
function processSeconds(pid: string): number {
  const text = statOf(pid);
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return [11, 12, 13, 14].reduce((sum, at) => sum + (Number(fields[at]) || 0), 0) / ticksPerSecond;
}
