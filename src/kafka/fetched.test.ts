import { afterAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { until } from "../../kit/until.ts";
import { startOrdersCluster } from "../../testing/kafka.ts";
import { consumerConfig } from "../config.ts";
import Kafka from "./addon.ts";
import { called } from "./client.ts";
import { type KafkaConsumer, openConsumer, type Rebalance } from "./consumer.ts";
import { DeliveredRecord } from "./fetched.ts";
import { openProducer } from "./producer.ts";
import type { OutgoingRecord } from "./sender.ts";

const cluster = startOrdersCluster();
afterAll(() => cluster[Symbol.dispose]());
const config = consumerConfig({ ...cluster.env, LEDGER_URL: "sqlite:none" });
const producer = await openProducer(config, { deliveryTimeoutMs: 20_000 });
afterAll(() => producer.close(0));

let topics = 0;

/** Sends records to a topic of their own, and reads them, at most so many at a time. */
async function roundTrip(
  records: readonly Omit<OutgoingRecord, "topic">[],
  most: number,
): Promise<DeliveredRecord[]> {
  topics += 1;
  const topic = `topic-${topics}`;
  cluster.createTopic(topic, { partitions: 3, replicationFactor: 3 });
  for (const record of records)
    producer.produce({ ...record, topic }, ({ error }) => expect(error).toBe(undefined));
  await producer.flush(20_000);
  return asMember(topic, (member, demands) => readAll(member, demands, records.length, most));
}

async function asMember<Result>(
  topic: string,
  act: (member: KafkaConsumer, demands: Rebalance[]) => Promise<Result>,
): Promise<Result> {
  const demands: Rebalance[] = [];
  const errors: string[] = [];
  const member = await openConsumer(
    { ...config, ORDERS_TOPIC: topic, CONSUMER_GROUP: topic },
    { onRebalance: (demand) => demands.push(demand), onError: (message) => errors.push(message) },
  );
  try {
    return await act(member, demands);
  } finally {
    await member.close();
  }
}

const fromTheBeginning = (partition: number) =>
  ({ partition, offset: "beginning", leaderEpoch: -1 }) as const;

async function readAll(member: KafkaConsumer, demands: Rebalance[], count: number, most: number) {
  const found: DeliveredRecord[] = [];
  await until("every record came", async () => {
    const { records, errors } = member.poll(most);
    expect(errors).toEqual([]);
    expect(records.length).toBeLessThanOrEqual(most);
    found.push(...records);
    const demand = demands.shift();
    if (demand) member.assign(demand.partitions.map(fromTheBeginning));
    if (records.length === 0) await member.wait(20);
    return found.length >= count;
  });
  return found;
}

const plain = ({ partition, offset, key, value, headers }: DeliveredRecord) => ({
  ...{ partition, offset, key, value },
  headers: headers.flatMap((header) => Object.entries(header)),
});

test("what was sent is what comes: key, value and headers, of whatever length and bytes", async () => {
  const text = fc.string({ unit: "grapheme-composite", minLength: 1, maxLength: 40 });
  const name = text.filter((name) => !name.includes("\0"));
  const bytes = fc.uint8Array({ maxLength: 3_000 }).map((array) => Buffer.from(array));
  const headers = fc.array(fc.tuple(name, bytes), { maxLength: 8 });
  const orNone = fc.option(bytes, { nil: null });
  const samples = fc.sample(fc.record({ key: orNone, value: orNone, headers }), 200);
  const records = samples.map(({ key, value, headers }, n) => ({
    ...{ key, value, partition: n % 3 },
    headers: headers.map(([name, value]) => Object.fromEntries([[name, value]])),
  }));
  for (const most of [1_000, 7]) {
    const found = await roundTrip(records, most);
    expect(found).toHaveLength(records.length);
    for (const partition of [0, 1, 2])
      expect(found.filter((record) => record.partition === partition).map(plain)).toEqual(
        records
          .filter((record) => record.partition === partition)
          .map(({ headers, ...record }, offset) => ({
            ...{ ...record, offset },
            headers: headers.flatMap((header) => Object.entries(header)),
          })),
      );
  }
}, 120_000);

test("a key or value that is absent is absent, and not empty", async () => {
  const records = [
    { partition: 0, key: null, value: null, headers: [] },
    { partition: 0, key: Buffer.alloc(0), value: Buffer.alloc(0), headers: [] },
  ];
  const found = await roundTrip(records, 100);
  expect(found.map(({ key, value }) => ({ key, value }))).toEqual(
    records.map(({ key, value }) => ({ key, value })),
  );
});

test("who is kept for long keeps its own bytes and no others", async () => {
  const records = Array.from({ length: 50 }, (_, n) => ({
    ...{ partition: 0, key: `key ${n}`, value: `value ${n}` },
    headers: [{ n: String(n) }],
  }));
  const found = await roundTrip(records, 1_000);
  const bytesKept = (record: DeliveredRecord | undefined) => record?.value?.buffer.byteLength ?? Number.NaN;
  const [before, kept, other] = [found.map(plain), found[20], found[30]];
  const together = bytesKept(kept);
  for (const _ of [1, 2]) kept?.own();
  expect(bytesKept(kept)).toBeLessThan(100);
  expect(bytesKept(other)).toBe(together);
  expect(found.map(plain)).toEqual(before);
});

test("who waits is woken by a record, long before the time is over", async () => {
  topics += 1;
  const topic = `topic-${topics}`;
  cluster.createTopic(topic, { partitions: 1, replicationFactor: 3 });
  const demands: Rebalance[] = [];
  const member = await openConsumer(
    { ...config, ORDERS_TOPIC: topic, CONSUMER_GROUP: topic },
    { onRebalance: (demand) => demands.push(demand), onError: () => undefined },
  );
  await until("the partition is assigned", async () => {
    member.poll(10);
    const demand = demands.shift();
    if (demand) member.assign(demand.partitions.map(fromTheBeginning));
    else await member.wait(20);
    return demand;
  });
  const found: DeliveredRecord[] = [];
  // Only as long as the test may take: if nothing woke it, that would be over.
  const tooLongMs = 100_000;
  const reading = (async () => {
    while (found.length === 0) {
      found.push(...member.poll(10).records);
      if (found.length === 0) await member.wait(tooLongMs);
    }
  })();
  producer.produce({ topic, partition: 0, key: null, value: "awake", headers: [] }, () => undefined);
  await reading;
  expect(String(found[0]?.value)).toBe("awake");
  await member.close();
}, 120_000);

test("a record counts with what becomes of it: a text once more, and objects many times; a short one as it is", () => {
  const bytesOf = (text: string) =>
    new DeliveredRecord("orders", 0, 0, 0, 0, Buffer.from(text), -1, text.length).bytes;
  expect(bytesOf("x".repeat(10_000))).toBe(20_000);
  expect(bytesOf("[],".repeat(10_000))).toBeGreaterThan(1_000_000);
  expect(bytesOf('{"a":1}'.repeat(10_000))).toBeGreaterThan(1_500_000);
  expect(bytesOf("[],")).toBe(6);
});

describe("records of a megabyte each, in one batch that takes a thousandth of it,", () => {
  const long = Buffer.alloc(1_000_000, " ");
  /** Puts so many of them on partition 0 of a topic, and a short one on partition 1. @returns the topic */
  async function compressed(count: number): Promise<string> {
    const topic = `compressed-${count}`;
    cluster.createTopic(topic, { partitions: 2, replicationFactor: 3 });
    const gzip = new Kafka.Producer({
      "bootstrap.servers": config.KAFKA_BROKERS,
      "compression.codec": "gzip",
      // Until it is flushed.
      "linger.ms": 60_000,
      "batch.size": 1_000_000_000,
      "message.max.bytes": 1_000_000_000,
      "queue.buffering.max.kbytes": 1_000_000,
    });
    await called((done) => gzip.connect({ timeout: 10_000 }, done));
    for (let n = 0; n < count; n += 1) gzip.produce(topic, 0, long);
    gzip.produce(topic, 1, Buffer.from("short"));
    await called((done) => gzip.flush(100_000, (error) => done(error, undefined)));
    await called((done) => gzip.disconnect(done));
    return topic;
  }

  test("are taken few at a time", async () => {
    const topic = await compressed(40);
    await asMember(topic, async (member, demands) => {
      const taken: number[] = [];
      await until("all are taken", () => {
        const { records, errors } = member.poll(500);
        expect(errors).toEqual([]);
        taken.push(records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0));
        const demand = demands.shift();
        if (demand) member.assign(demand.partitions.map(fromTheBeginning));
        return taken.reduce((sum, bytes) => sum + bytes, 0) === 40 * long.length + "short".length;
      });
      expect(Math.max(...taken)).toBeLessThan(20 * long.length);
    });
  }, 120_000);

  test("are told of, and take no memory, where they are more than anybody has room for", async () => {
    const topic = await compressed(120);
    await asMember(topic, async (member, demands) => {
      const found: DeliveredRecord[] = [];
      const told = new Set<string>();
      await until("it is told, and the other partition is read", () => {
        const { records, errors } = member.poll(500);
        found.push(...records);
        for (const error of errors) told.add(error);
        const demand = demands.shift();
        if (demand) member.assign(demand.partitions.map(fromTheBeginning));
        return errors.length > 0 && found.length > 0;
      });
      expect([...told]).toEqual([expect.stringMatching(/^partition 0: Decompression .* at 0 /)]);
      expect(found.map(({ value }) => String(value))).toEqual(["short"]);
    });
  }, 120_000);
});
