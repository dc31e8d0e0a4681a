/**
 * A system that is only described: what a stage would read of the whole topology while orders flow at any rate. For what
 * the real one can't be asked beside it on a small machine: what the stage itself costs, and pictures of it. A broker or
 * another instance can be set down; nothing else can be done to it.
 */
import type { System } from "../../proof/system/system.ts";
import { orderId } from "../../src/wire/order-id.ts";
import type { Reading } from "../readings.ts";
import type { Found } from "../sources/evidence.ts";
import type { LogView } from "../sources/kafka.ts";
import type { Seen, Source } from "../sources/source.ts";
import type { Stage } from "../stage.ts";

const tickMs = 50;
const handledAfterMs = 400;
const three = [1, 2, 3];

export function createFeed(ratePerS: number) {
  const startMs = performance.now();
  const down = new Set<string>();
  /** When each was handled, of the last minute or two: what is older is asked for by nobody. */
  let handled = new Map<string, number>();
  let older = new Map<string, number>();
  const appended = () => Math.floor(((performance.now() - startMs) / 1_000) * ratePerS);
  const endNow = () => Math.floor(appended() / 12);
  const logNow = () => logOf(down, endNow(), ratePerS);

  const source: Source = {
    ...untouchable,
    look: async () => ({
      seen: seenOf(down, (owned) => readingOf(owned, endNow(), ratePerS)),
      log: logNow(),
    }),
    evidence: {
      look: async (ids) => {
        const before = performance.now() - handledAfterMs;
        const found = ids.filter((id) => (handled.get(id) ?? older.get(id) ?? Infinity) < before);
        return new Map(found.map((id): [string, Found] => [id, { deliveries: 1, effects: 1, dead: false }]));
      },
      trace: async () => undefined,
      offsets: async () => logNow(),
    },
  };

  return {
    source,
    down,
    /** Has a stage hear of as many accepted orders as the rate says; @returns what ends that. */
    flow(stage: Stage): () => void {
      let told = 0;
      const timer = setInterval(() => {
        if (handled.size > 120 * ratePerS) [handled, older] = [new Map(), handled];
        for (const due = appended(); told < due; told += 1) {
          const id = orderId(`c${told % 997}`, `feed-${told}`);
          handled.set(id, performance.now());
          stage.take({ id, fate: "accepted" });
        }
      }, tickMs);
      return () => clearInterval(timer);
    },
  };
}

/** Of a system to which nothing can be done. */
const untouchable: Omit<Source, "look" | "evidence"> = {
  kind: "replay",
  url: "http://127.0.0.1:9",
  access: undefined,
  system: {} as System,
  containers: async () => new Map(),
  faults: { producer: [], consumer: [], broker: [], zookeeper: [], balancer: [], ledger: [] },
  withheld: {},
  rolling: [],
  scalable: [],
  scale: async () => undefined,
  command: () => "",
  operator: undefined,
  onChange: () => undefined,
  close: async () => undefined,
};

/** What an instance says of itself. @param end of each partition */
const readingOf = (owned: number[], end: number, ratePerS: number): Reading => ({
  name: "",
  ready: true,
  ratePerS: ratePerS / 3 + Math.sin(performance.now() / 900) * 2,
  buckets: { request: bucketsNow(), delivery: bucketsNow(), handler: bucketsNow() },
  owned: new Map(owned.map((at) => [at, { lag: 2, oldestS: 0, position: end }])),
});
const bucketsNow = () =>
  new Map([
    [0.005, 60 + Math.random() * 20],
    [0.01, 95],
    [0.025, 100],
    [Infinity, 100],
  ]);

/** What the brokers say. @param end of each partition */
function logOf(down: ReadonlySet<string>, end: number, ratePerS: number): LogView {
  const up = three.filter((id) => !down.has(`kafka${id}`));
  const leaderOf = (at: number) => {
    const own = 1 + (at % 3);
    return up.includes(own) ? own : (up[at % Math.max(1, up.length)] ?? -1);
  };
  const behind = Math.ceil((ratePerS / 12) * (handledAfterMs / 1_000));
  const partitions = Array.from({ length: 12 }, (_, partition) => ({
    ...{ topic: "orders", partition, leader: leaderOf(partition), epoch: 4 + down.size },
    ...{ replicas: three, inSync: up },
  }));
  const places = partitions.map(({ partition }) => partition);
  return {
    atMs: performance.now(),
    ...{ controller: leaderOf(0), coordinator: leaderOf(1), groupState: "Stable", members: 3, partitions },
    ends: new Map(places.map((at) => [at, end])),
    committed: new Map(places.map((at) => [at, Math.max(0, end - behind - (at % 3))])),
  };
}

function seenOf(down: ReadonlySet<string>, reading: (owned: number[]) => Reading): Seen[] {
  const one = (tier: Seen["tier"], name: string, more: Partial<Seen> = {}): Seen =>
    down.has(name)
      ? { tier, name, host: "down", why: "killed" }
      : { tier, name, host: "running", why: "", ...more };
  return [
    one("balancer", "haproxy"),
    ...three.map((id) => one("producer", `producer-${id}`, { reading: reading([]) })),
    ...three.map((id) => one("broker", `kafka${id}`)),
    ...three.map((id) => one("zookeeper", `zookeeper${id}`, { role: id === 2 ? "leader" : "follower" })),
    ...three.map((id) => {
      const owned = Array.from({ length: 4 }, (_, at) => (id - 1) * 4 + at);
      return one("consumer", `consumer-${id}`, { reading: reading(owned) });
    }),
    one("ledger", "postgres"),
  ];
}
