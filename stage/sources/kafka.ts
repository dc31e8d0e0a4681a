/**
 * Where the log of orders ends and how far the group has come, from the brokers themselves: two more of the protocol's
 * oldest requests (ListOffsets 1, OffsetFetch 1), beside those of the cluster's view.
 */
import { array, ask, type Door, type Reader, string } from "../../ops/protocol.ts";
import { askCluster, type BrokerPort, type Cluster } from "../../proof/system/cluster.ts";

const listOffsets = [2, 1] as const;
const offsetFetch = [9, 1] as const;
const topic = "orders";
const group = "coffee-orders";
/** The end of a partition, instead of the place of a time. */
const latest = -1n;

export interface LogView extends Cluster {
  /** Before the first of it was asked for (performance.now). */
  atMs: number;
  ends: Map<number, number>;
  committed: Map<number, number>;
}

/**
 * The cluster and the group's progress.
 * @param brokers those that may answer: who is known to be silent costs seconds each time
 * @throws Error when no broker answers; what a single leader or the coordinator does not tell is missing
 */
export async function askLog(brokers: readonly BrokerPort[]): Promise<LogView> {
  const atMs = performance.now();
  const cluster = await askCluster(brokers);
  const doorOf = (id: number | undefined) => brokers.find((broker) => broker.id === id);
  const ours = cluster.partitions.filter((one) => one.topic === topic);
  const coordinator = doorOf(cluster.coordinator);
  const all = ours.map(({ partition }) => partition);
  // Before the ends: asked for later, what is committed meanwhile would seem to be of a log that is no more.
  const committed = coordinator === undefined ? [] : await committedOf(coordinator, all).catch(() => []);
  const byLeader = Map.groupBy(ours, ({ leader }) => leader);
  const asked = [...byLeader].map(async ([leader, led]) => {
    const door = doorOf(leader);
    if (door === undefined) return [];
    return endsOf(
      door,
      led.map(({ partition }) => partition),
    ).catch(() => []);
  });
  return {
    ...cluster,
    atMs,
    ends: new Map((await Promise.all(asked)).flat()),
    committed: new Map(committed),
  };
}

/**
 * A view in which every partition told its end, and the group its progress.
 * @param why there is no view
 * @throws Error with what is missing: a broker that is away, or a right, of which brokers say no more than this
 */
export function whole(view: LogView | undefined, why = "none answers"): LogView {
  const ours = view?.partitions.filter((one) => one.topic === topic).length;
  const lack =
    view === undefined
      ? why
      : !ours
        ? `they show no topic ${topic}`
        : view.ends.size < ours
          ? `${ours - view.ends.size} partitions do not tell their end`
          : view.committed.size < ours
            ? `of the group ${group} they say «${view.groupState}»`
            : undefined;
  if (view && lack === undefined) return view;
  throw new Error(`the brokers do not tell how far the group has come: ${lack}`);
}

const int32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};

async function endsOf(door: Door, partitions: number[]): Promise<[number, number][]> {
  const time = Buffer.alloc(8);
  time.writeBigInt64BE(latest);
  const wanted = array(partitions.map((partition) => Buffer.concat([int32(partition), time])));
  const body = Buffer.concat([int32(-1), array([Buffer.concat([string(topic), wanted])])]);
  return placesIn(await ask(door, listOffsets, body), (reader) => {
    const [partition, error] = [reader.int32(), reader.int16()];
    reader.int64();
    return [partition, reader.int64(), error];
  });
}

async function committedOf(door: Door, partitions: number[]): Promise<[number, number][]> {
  const wanted = Buffer.concat([string(topic), array(partitions.map(int32))]);
  const reader = await ask(door, offsetFetch, Buffer.concat([string(group), array([wanted])]));
  return placesIn(reader, (one) => {
    const [partition, offset] = [one.int32(), one.int64()];
    one.string();
    // -1: nothing is committed so far.
    return [partition, Math.max(0, offset), one.int16()];
  });
}

/** Places of one topic; those that came with an error are left out. */
function placesIn(
  reader: Reader,
  item: (reader: Reader) => [partition: number, offset: number, error: number],
): [number, number][] {
  const found = reader.list(() => {
    reader.string();
    return reader.list(() => item(reader));
  });
  return found
    .flat()
    .flatMap(([at, offset, error]) => (error === 0 ? [[at, offset] as [number, number]] : []));
}
