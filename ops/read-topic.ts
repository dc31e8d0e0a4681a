/**
 * Reads a topic from outside: from its beginning to where it ended when the reading began, whole partitions or one
 * record. It joins no group and commits nothing, so that nobody's position moves; and it ends, whatever happens.
 */
import { answered } from "../kit/until.ts";
import type { KafkaConfig } from "../src/config.ts";
import Kafka from "../src/kafka/addon.ts";
import { called, clientOptions, connected, disconnect, handleOf, metadataOf } from "../src/kafka/client.ts";
import { openFetched } from "../src/kafka/fetched.ts";
import type { RecordHeaders } from "../src/kafka/sender.ts";
import { hintOfTls } from "./protocol.ts";

const callTimeoutMs = 5_000;
/** Longest time without a record while some are missing. */
const stallTimeoutMs = 20_000;
/** Kafka's LEADER_NOT_AVAILABLE and NOT_LEADER_OR_FOLLOWER (protocol, error codes). */
const noLeader: ReadonlySet<number> = new Set([5, 6]);
const pollMs = 5;
const pollRecords = 1_000;

/** A record with the time of its writing, ms since the epoch: what is read here, or the same from elsewhere. */
export type ReadRecord = {
  topic: string;
  partition: number;
  offset: number;
  key: Buffer | null;
  value: Buffer | null;
  headers: RecordHeaders;
  timestampMs: number;
};

/** What is read of a partition: offsets from `start` up to, not including, `end`. */
export type Range = { partition: number; start: number; end: number };

export type TopicReader = Awaited<ReturnType<typeof openTopicReader>>;

/** @throws Error when no broker answers in time, or the topic is not there */
export async function openTopicReader(config: KafkaConfig, topic: string) {
  const consumer = new Kafka.KafkaConsumer(
    {
      ...clientOptions(config),
      // The client wants a name; without a subscription no group is joined.
      "group.id": "coffee-orders-reader",
      "enable.auto.commit": false,
      "enable.auto.offset.store": false,
      "isolation.level": "read_committed",
      // What has rotted must not be shown, or sent again, as if it had been written so.
      "check.crcs": true,
      // The end of a partition may be a gap that no record fills.
      "enable.partition.eof": true,
    },
    // Where the beginning is deleted meanwhile, reading goes on after it.
    { "auto.offset.reset": "earliest" },
  );
  let fetched: ReturnType<typeof openFetched> | undefined;
  try {
    // What lasts beyond that is noticed as an answer that does not come.
    await connected(consumer, { ...config, ORDERS_TOPIC: topic }, () => undefined).catch(unreachable);
    const { partitions } = await metadataOf(consumer)(topic, callTimeoutMs);
    if (partitions.length === 0) throw new Error(`the topic ${topic} does not exist`);
    const ranges = await Promise.all(partitions.map(({ id }) => rangeOf(consumer, topic, id)));
    fetched = openFetched(handleOf(consumer), topic);
    return { topic, ranges: ranges.sort((a, b) => a.partition - b.partition), read, close };
  } catch (error) {
    await close();
    throw error;
  }

  async function unreachable({ message }: Error): Promise<never> {
    const { KAFKA_BROKERS: brokers, KAFKA_SECURITY_PROTOCOL: protocol } = config;
    throw new Error(`Kafka at ${brokers}: ${message}${await hintOfTls(brokers, protocol)}`);
  }

  /**
   * Gives each record of the ranges to `take`, each partition's in order, until that answers "enough".
   * @throws Error when records stop coming before the end
   */
  async function read(
    ranges: readonly Range[],
    take: (record: ReadRecord) => "enough" | undefined | Promise<"enough" | undefined>,
  ): Promise<void> {
    const wanted = ranges.filter(({ start, end }) => start < end);
    const ends = new Map(wanted.map(({ partition, end }) => [partition, end]));
    const open = new Set(ends.keys());
    consumer.assign(wanted.map(({ partition, start }) => ({ topic, partition, offset: start })));
    let deadline = Date.now() + stallTimeoutMs;
    let said = "";
    try {
      while (open.size > 0) {
        const { records, errors, ended } = fetched?.take(pollRecords) ?? {
          records: [],
          errors: [],
          ended: [],
        };
        for (const error of errors) said = `; ${error}`;
        if (records.length === 0) await Bun.sleep(pollMs);
        if (records.length === 0 && Date.now() > deadline)
          throw new Error(
            `no more records of ${topic} within ${stallTimeoutMs} ms; partitions left: ${[...open]}${said}`,
          );
        for (const record of records) {
          const end = ends.get(record.partition) ?? 0;
          if (record.offset < end && (await take(record)) === "enough") return;
          if (record.offset >= end - 1) open.delete(record.partition);
        }
        for (const partition of ended) open.delete(partition);
        // What took them may have been slow, e.g. to send them on.
        if (records.length > 0) deadline = Date.now() + stallTimeoutMs;
      }
    } finally {
      consumer.unassign();
    }
  }

  function close(): Promise<void> {
    fetched?.close();
    return disconnect(consumer);
  }
}

/** Leaders move where a broker died, and who was one is asked once more: then another tells. */
async function rangeOf(consumer: Kafka.KafkaConsumer, topic: string, partition: number): Promise<Range> {
  const ask = () =>
    called<Kafka.WatermarkOffsets>((done) =>
      consumer.queryWatermarkOffsets(topic, partition, callTimeoutMs, done),
    );
  const isNoLeader = ({ code = 0 }) => noLeader.has(code);
  const { lowOffset, highOffset } = await answered(ask, isNoLeader, callTimeoutMs);
  return { partition, start: lowOffset, end: highOffset };
}
