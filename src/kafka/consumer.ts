/**
 * One member of a consumer group, driven by its owner: it polls when asked, commits what it is told, and neither
 * assigns nor unassigns anything by itself. Never in flowing mode, never with automatic commits.
 */

import type { ConsumerConfig } from "../config.ts";
import Kafka from "./addon.ts";
import { clientOptions } from "./client.ts";
import { openFetched, type Taken } from "./fetched.ts";
import { clientOf } from "./sender.ts";
import { openWakeUps } from "./wake-ups.ts";

/** What the group protocol demands: these partitions are to be taken on, or given up. */
export type Rebalance = { kind: "assign" | "revoke"; partitions: number[] };

export type KafkaConsumer = Awaited<ReturnType<typeof openConsumer>>;

const assignPartitions = -175;

/**
 * Connects a member and joins the group.
 * @param options.onRebalance called by a poll; each demand must be met with `assign` or `unassign`, in order
 * @throws Error when no broker answers within 5 s, or no pipe can be made; nothing is left open
 */
export async function openConsumer(
  config: ConsumerConfig,
  options: { onRebalance: (rebalance: Rebalance) => void; onError: (message: string) => void },
) {
  const topic = config.ORDERS_TOPIC;
  const client = new Kafka.KafkaConsumer(
    {
      ...clientOptions(config),
      "group.id": config.CONSUMER_GROUP,
      // Offsets are committed by hand, after the handling.
      "enable.auto.commit": false,
      "enable.auto.offset.store": false,
      // Only partitions that move stop (KIP-429).
      "partition.assignment.strategy": "cooperative-sticky",
      // How soon a death is noticed.
      "session.timeout.ms": config.SESSION_TIMEOUT_MS,
      // How soon each round of a rebalance is noticed, while partitions that move belong to nobody.
      "heartbeat.interval.ms": 500,
      "max.poll.interval.ms": 300_000,

      "isolation.level": "read_committed",
      // What is fetched ahead, per consumer: so many bytes of values or, of small ones, so many records, each with some
      // hundred bytes of librdkafka's. On top comes what a fetch brings of each partition, taken apart: so many compressed
      // bytes, or one batch that is larger (KIP-74). Together they bound its memory.
      "queued.max.messages.kbytes": 4_096,
      "queued.min.messages": 20_000,
      "fetch.message.max.bytes": 65_536,
      // The queue is full whenever the handling is slower than the brokers, and must not run dry after it.
      "fetch.queue.backoff.ms": 50,
      "fetch.wait.max.ms": 500,
      "fetch.min.bytes": 1,
      // A broker without new data is asked again soon.
      "fetch.error.backoff.ms": 100,
      rebalance_cb: (error: { code: number }, assignment: { topic: string; partition: number }[]) =>
        options.onRebalance({
          kind: error.code === assignPartitions ? "assign" : "revoke",
          partitions: assignment.map(({ partition }) => partition),
        }),
      offset_commit_cb: true,
    } as Kafka.ConsumerGlobalConfig,
    { "auto.offset.reset": "earliest" },
  );
  client.on("event.error", (error) => options.onError(error.message));
  let commitSettled: ((error?: string) => void) | undefined;
  client.on("offset.commit", (error) => commitSettled?.(error?.message));

  await new Promise<void>((resolve, reject) => {
    client.connect({ topic, timeout: 5_000 }, (error) => (error ? reject(error) : resolve()));
  });
  let wake: () => void = () => undefined;
  const { wakeUps, fetched } = await opened();
  client.subscribe([topic]);
  const places = (partitions: number[]) => partitions.map((partition) => ({ topic, partition }));

  /** What goes past node-rdkafka. @throws Error once the client is disconnected */
  async function opened() {
    try {
      const handle = clientOf((client as unknown as { name: string }).name);
      const wakeUps = openWakeUps(handle, () => wake(), "consumer");
      return { wakeUps, fetched: openFetched(handle, topic) };
    } catch (error) {
      await disconnect(client);
      throw error;
    }
  }

  return {
    /** Takes up to so many records that were fetched. Also serves rebalances and commits' results. Never waits. */
    poll: (maxRecords: number): Taken => fetched.take(maxRecords),
    /** Waits until there may be something to be polled for, at most for so long. */
    async wait(timeoutMs: number): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      const timer = setTimeout(resolve, timeoutMs);
      await promise;
      clearTimeout(timer);
    },
    assign: (partitions: number[]): void => void client.incrementalAssign(places(partitions)),
    unassign: (partitions: number[]): void => void client.incrementalUnassign(places(partitions)),
    pause: (partitions: number[]): void => void client.pause(places(partitions)),
    resume: (partitions: number[]): void => void client.resume(places(partitions)),
    /** The offset at the partition's end, as last fetched; undefined before the first fetch. */
    end(partition: number): number | undefined {
      const { highOffset } = client.getWatermarkOffsets(topic, partition);
      return highOffset >= 0 ? highOffset : undefined;
    },
    /** The offsets that the group committed last; none for a partition of which nothing is committed. */
    committed(partitions: number[], timeoutMs: number): Promise<Map<number, number>> {
      return new Promise((resolve, reject) => {
        client.committed(places(partitions), timeoutMs, (error, found) => {
          if (error) return reject(error);
          const known = found.flatMap(({ partition, offset = -1 }) =>
            offset >= 0 ? [[partition, offset] as const] : [],
          );
          resolve(new Map(known));
        });
      });
    },
    /**
     * Commits the offset of the next record of each partition. One commit at a time; polls must go on meanwhile.
     * @throws Error with the coordinator's or librdkafka's words
     */
    commit(offsets: ReadonlyMap<number, number>): Promise<void> {
      return new Promise((resolve, reject) => {
        commitSettled = (error) => {
          commitSettled = undefined;
          if (error === undefined) resolve();
          else reject(new Error(error));
        };
        client.commit([...offsets].map(([partition, offset]) => ({ topic, partition, offset })));
      });
    },
    /** Demands a revocation of everything and leaves the group after it. */
    leave: (): void => void client.unsubscribe(),
    /** Disconnects, at most within 10 s. */
    async close(): Promise<void> {
      await wakeUps.close();
      fetched.close();
      await disconnect(client);
    },
  };
}

function disconnect(client: Kafka.KafkaConsumer): Promise<void> {
  return new Promise((resolve) => {
    const giveUp = setTimeout(resolve, 10_000);
    client.disconnect(() => {
      clearTimeout(giveUp);
      resolve();
    });
  });
}
