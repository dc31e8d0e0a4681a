/** Puts what was seen of a system together to what is shown: states, owners, and what flows between the tiers. */

import type { Edge, EdgeName, Instance, Partition, StageState } from "../page/state.ts";
import { cut } from "./orders/letters.ts";
import { createRate, p99Of } from "./readings.ts";
import type { Look, Seen } from "./sources/source.ts";

type View = Pick<StageState, "instances" | "partitions" | "controller" | "group"> & {
  edges: Record<Exclude<EdgeName, "placed">, Edge>;
};

const topic = "orders";
/** An instance's own words may be of any length. */
const whyLength = 300;

export function createView() {
  const appended = new Map<number, ReturnType<typeof createRate>>();
  const polled = new Map<number, ReturnType<typeof createRate>>();
  /** The last that brokers said, which stays until one says more. */
  let last: Pick<View, "partitions" | "controller" | "group"> = {
    partitions: {},
    controller: -1,
    group: { state: "unknown", members: 0 },
  };

  function partitionsOf({ log, seen }: Look): Record<string, Partition> {
    const owners = seen.flatMap(({ name, reading }) =>
      [...(reading?.owned.keys() ?? [])].map((at) => [at, name]),
    );
    const ownerOf = new Map(owners as [number, string][]);
    const there = new Set(seen.map(({ name }) => name));
    /** The group takes it from one who is silent only when another has it: until then it is still its. */
    const stillOwnerOf = (at: number) => {
      const owner = last.partitions[at]?.owner;
      return owner !== undefined && there.has(owner) ? owner : undefined;
    };
    const inHand = new Map(seen.flatMap(({ reading }) => [...(reading?.owned ?? [])]));
    const led = log
      ? log.partitions.filter((one) => one.topic === topic)
      : Object.entries(last.partitions).map(([at, one]) => ({ ...one, partition: Number(at) }));
    return Object.fromEntries(
      led.map(({ partition, leader, epoch, replicas, inSync }) => {
        const end = log?.ends.get(partition);
        const committed = log?.committed.get(partition);
        const position = inHand.get(partition)?.position;
        const before = last.partitions[partition];
        return [
          partition,
          {
            leader,
            epoch,
            replicas,
            inSync,
            owner: ownerOf.get(partition) ?? stillOwnerOf(partition),
            lag:
              end !== undefined && committed !== undefined
                ? Math.max(0, end - committed)
                : (before?.lag ?? 0),
            oldestS: Math.round(inHand.get(partition)?.oldestS ?? 0),
            ratePerS: rateOf(appended, partition, end),
            polledPerS: rateOf(polled, partition, position),
          },
        ];
      }),
    );
  }

  return (look: Look): View => {
    const { seen, log } = look;
    const partitions = partitionsOf(look);
    last = {
      partitions,
      controller: log?.controller ?? -1,
      group: log ? { state: log.groupState, members: log.members } : { state: "unknown", members: 0 },
    };
    const instances = seen.map((one) => [one.name, instanceOf(one, look, partitions)] as const);
    return {
      ...last,
      instances: Object.fromEntries(instances),
      edges: edgesOf(seen, Object.values(partitions)),
    };
  };
}

/** What flows between the tiers, as those say who take it on. */
function edgesOf(seen: readonly Seen[], partitions: readonly Partition[]): View["edges"] {
  const readings = (tier: string) =>
    seen.flatMap((one) => (one.tier === tier && one.reading ? [one.reading] : []));
  const sum = (values: number[]) => round(values.reduce((all, value) => all + value, 0));
  const producers = readings("producer");
  const consumers = readings("consumer");
  return {
    balanced: {
      ratePerS: sum(producers.map(({ ratePerS }) => ratePerS)),
      p99Ms: ms(p99Of(producers.map(({ buckets }) => buckets.request))),
    },
    appended: {
      ratePerS: sum(partitions.map(({ ratePerS }) => ratePerS)),
      p99Ms: ms(p99Of(producers.map(({ buckets }) => buckets.delivery))),
    },
    polled: { ratePerS: sum(partitions.map(({ polledPerS }) => polledPerS)) },
    handled: {
      ratePerS: sum(consumers.map(({ ratePerS }) => ratePerS)),
      p99Ms: ms(p99Of(consumers.map(({ buckets }) => buckets.handler))),
    },
  };
}

function instanceOf(one: Seen, { log }: Look, partitions: Record<string, Partition>): Instance {
  const { tier, name, reading, host } = one;
  const id = Number(/\d+$/.exec(name)?.[0]);
  const led = Object.values(partitions).filter(({ leader }) => leader === id);
  const inSync = Object.values(partitions).some((partition) => partition.inSync.includes(id));
  const ofBroker = !log ? "no broker answers" : inSync ? "" : "catches up: in sync nowhere";
  const why = host === "running" && tier === "broker" ? ofBroker : one.why;
  return {
    tier,
    why: cut(why, whyLength),
    struck: [],
    state: host !== "running" ? host : why === "" ? "up" : why === "draining" ? "draining" : "unready",
    ratePerS:
      tier === "broker"
        ? host === "running" && log
          ? round(led.reduce((all, { ratePerS }) => all + ratePerS, 0))
          : undefined
        : reading && round(reading.ratePerS),
    p99Ms: ms(
      reading && (tier === "producer" ? p99Of([reading.buckets.request]) : p99Of([reading.buckets.handler])),
    ),
    role: tier === "broker" && log?.controller === id && host === "running" ? "controller" : (one.role ?? ""),
  };
}

/** The rate of a count of one partition; where there is none it stands still. */
function rateOf(rates: Map<number, ReturnType<typeof createRate>>, at: number, count?: number): number {
  if (count === undefined) return 0;
  const rate = rates.get(at) ?? createRate();
  rates.set(at, rate);
  return round(rate(count));
}

const round = (value: number): number => Math.round(value * 10) / 10;
const ms = (value: number | undefined): number | undefined =>
  value === undefined ? undefined : value < 10 ? round(value) : Math.round(value);
