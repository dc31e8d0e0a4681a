/** A member of a consumer group, driven by its owner: polls when asked, commits what it is told, assigns nothing by itself. */
import type { Pointer } from "bun:ffi";
import { AsyncLocalStorage } from "node:async_hooks";
import type { ConsumerConfig } from "../config.ts";
import Kafka from "./addon.ts";
import { openAsking } from "./admin.ts";
import { called, clientOptions, connected, disconnect, metadataOf } from "./client.ts";
import { type Fetched, openFetched } from "./fetched.ts";
import { openPlaces } from "./places.ts";
import { missingRight } from "./topics.ts";
import { openWakeUps } from "./wake-ups.ts";

/** What the group protocol demands: these partitions are to be taken on, or given up. */
export type Rebalance = { kind: "assign" | "revoke"; partitions: number[] };

/** It meets each demand by `assign` or `unassign`, in order; those that it has not met when it closes, librdkafka meets. */
type Owner = { onRebalance: (rebalance: Rebalance) => void; onError: (message: string) => void };

export type KafkaConsumer = Awaited<ReturnType<typeof openConsumer>>;

/** Connects and joins. @throws Error if no broker answers within 5 s */
export function openConsumer(config: ConsumerConfig, options: Owner) {
  const owner = { ...options };
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
      // A broker's disk may rot: it does not look, and its followers still have what was written.
      "check.crcs": true,
      // These bound its memory: what is fetched ahead, in bytes of values or, of small ones, in records; and what a fetch
      // brings of each partition, or one batch that is larger (KIP-74).
      "queued.max.messages.kbytes": 4_096,
      "queued.min.messages": 20_000,
      "fetch.message.max.bytes": 65_536,
      // The queue is full whenever the handling is slower than the brokers, and must not run dry after it.
      "fetch.queue.backoff.ms": 50,
      "fetch.error.backoff.ms": 100,
      // In the context of whoever opens it: else nobody could tell whose error it is.
      rebalance_cb: AsyncLocalStorage.bind(
        (error: { code: number }, assignment: { topic: string; partition: number }[]) =>
          owner.onRebalance({
            kind: error.code === Kafka.CODES.ERRORS.ERR__ASSIGN_PARTITIONS ? "assign" : "revoke",
            partitions: assignment.map(({ partition }) => partition),
          }),
      ),
    } as Kafka.ConsumerGlobalConfig,
    { "auto.offset.reset": "earliest" },
  );
  return connected(client, config, (handle) => join(client, handle, config, owner), options.onError);
}

type Told = { partition: number; offset?: number };
const offsetsIn = (told: readonly Told[]): Map<number, number> =>
  new Map(told.flatMap(({ partition, offset }) => (offset === undefined ? [] : [[partition, offset]])));

/** What a connected client does, from joining on. @throws Error when no pipe can be made */
function join(client: Kafka.KafkaConsumer, handle: Pointer, config: ConsumerConfig, owner: Owner) {
  const topic = config.ORDERS_TOPIC;
  let wake: () => void = () => undefined;
  const wakeUps = openWakeUps(handle, () => wake(), "consumer");
  const fetched = openFetched(handle, topic);
  const asking = openAsking(handle);
  const named = (partitions: readonly number[]) => partitions.map((partition) => ({ topic, partition }));
  client.subscribe([topic]);
  return {
    ...openPlaces(handle, asking, config.CONSUMER_GROUP, topic),
    /** Takes up to so many records that were fetched. Also serves rebalances and commits' results. Never waits. */
    poll: (maxRecords: number): Fetched => fetched.take(maxRecords),
    /** Waits until there may be something to be polled for, at most for so long. */
    async wait(timeoutMs: number): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      const timer = setTimeout(resolve, timeoutMs);
      await promise;
      clearTimeout(timer);
    },
    pause: (partitions: number[]): void => void client.pause(named(partitions)),
    resume: (partitions: number[]): void => void client.resume(named(partitions)),
    /** Offset of the oldest record and that after the newest, as last fetched; -1 before the first fetch. */
    watermarks: (partition: number) => client.getWatermarkOffsets(topic, partition),
    /** The offsets alone, for whoever waits: `committed` takes half a second, as librdkafka's administration does. */
    committedOffsets: async (partitions: readonly number[], timeoutMs: number) =>
      offsetsIn(await called<Told[]>((done) => client.committed(named(partitions), timeoutMs, done))),
    /** The first record that is no older (ListOffsets, KIP-79; -1: there is none), of each that tells. @throws Error */
    async offsetsOf(timestampsMs: ReadonlyMap<number, number>, timeoutMs: number) {
      const asked = [...timestampsMs].map(([partition, offset]) => ({ topic, partition, offset }));
      return offsetsIn(await called<Told[]>((done) => client.offsetsForTimes(asked, timeoutMs, done)));
    },
    /** Which right is missing, in words, of those that a consumer needs. @throws Error when no broker answers in time */
    async missingRight(timeoutMs: number): Promise<string | undefined> {
      const { orig_broker_id: broker } = await metadataOf(client)(topic, timeoutMs);
      const ofGroup = `no right to READ the group ${config.CONSUMER_GROUP}: grant it to this client's user`;
      const missing = await Promise.all([
        asking.ask(timeoutMs, missingRight(config, topic, "READ", broker)),
        asking.ask(timeoutMs, missingRight(config, config.DEAD_TOPIC, "WRITE", broker)),
        // A member hears of it only when its session is over. 30: RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED.
        this.committedOffsets([0], timeoutMs).catch(({ code }) => (code === 30 ? ofGroup : undefined)),
      ]);
      return missing.find((words) => typeof words === "string");
    },
    /** Leaves the group. */
    async close(): Promise<void> {
      owner.onRebalance = () => undefined;
      await asking.close();
      await wakeUps.close();
      fetched.close();
      await disconnect(client);
    },
  };
}
