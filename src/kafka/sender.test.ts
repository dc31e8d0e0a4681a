import { afterAll, expect, test } from "bun:test";
import fc from "fast-check";
import { until } from "../../kit/until.ts";
import { type StoredRecord, startOrdersCluster } from "../../testing/kafka.ts";
import { kafkaConfig } from "../config.ts";
import { maxRecordBytes, openProducer } from "./producer.ts";
import type { OutgoingRecord } from "./sender.ts";

const cluster = startOrdersCluster();
afterAll(() => cluster[Symbol.dispose]());
const producer = await openProducer(kafkaConfig(cluster.env), { deliveryTimeoutMs: 20_000 });
afterAll(() => producer.close(0));
/** What was wrong with each record that has its report, if anything was. */
const errors: (string | undefined)[] = [];
const send = (record: OutgoingRecord): void => producer.produce(record, ({ error }) => errors.push(error));
/** Waits until all that was sent is acknowledged. */
async function acknowledged(): Promise<void> {
  await producer.flush(20_000);
  expect(errors.filter((error) => error !== undefined)).toEqual([]);
}

const place = ({ partition, offset }: { partition: number; offset: number | undefined }) =>
  `${partition} ${offset}`;
/** What is on a topic now and was not before. */
async function cameSince(before: readonly StoredRecord[], topic: string): Promise<StoredRecord[]> {
  const known = new Set(before.map(place));
  return (await cluster.read(topic)).filter((one) => !known.has(place(one)));
}

const record = (given: Partial<OutgoingRecord>): OutgoingRecord => ({
  topic: "orders",
  partition: 0,
  key: "key",
  value: Buffer.from("{}"),
  headers: [],
  ...given,
});

test("what is sent is what arrives: key, value and headers, of whatever length and characters", async () => {
  // A name ends at a NUL, and node-rdkafka, which reads here, has no header of the name __proto__.
  const name = fc
    .string({ unit: "grapheme-composite", minLength: 1, maxLength: 40 })
    .filter((text) => !text.includes("\0") && text !== "__proto__" && text !== "n");
  const text = fc.string({ unit: "grapheme-composite", maxLength: 300 });
  const bytes = fc.uint8Array({ maxLength: 20_000 }).map((array) => Buffer.from(array));
  const headers = fc.uniqueArray(fc.tuple(name, fc.oneof(text, bytes)), {
    maxLength: 20,
    selector: ([name]) => name,
  });
  const samples = fc.sample(fc.record({ key: fc.oneof(text, bytes), value: bytes, headers }), 100);
  for (const [n, { key, value, headers }] of samples.entries())
    send(
      record({
        key,
        value,
        partition: n % 12,
        headers: [{ n: String(n) }, ...headers.map(([name, value]) => ({ [name]: value }))],
      }),
    );
  await acknowledged();
  const stored = await cluster.read("orders");
  const found = new Map(stored.map((one) => [Number(one.headers.n), one]));
  expect(stored).toHaveLength(samples.length);
  for (const [n, { key, value, headers }] of samples.entries()) {
    const { n: _, ...others } = found.get(n)?.headers ?? {};
    expect(found.get(n)?.partition).toBe(n % 12);
    expect(found.get(n)?.key ?? Buffer.alloc(0)).toEqual(Buffer.from(key));
    expect(found.get(n)?.value ?? Buffer.alloc(0)).toEqual(value);
    expect(others).toEqual(Object.fromEntries(headers.map(([name, value]) => [name, String(value)])));
  }
});

test("headers that records share come first, whichever array they are from", async () => {
  const before = await cluster.read("orders");
  const [first, second] = [[{ a: "1" }, { b: "two" }], [{ c: "3" }]];
  for (const [n, sharedHeaders] of [first, second, first, undefined].entries())
    send(record({ headers: [{ n: String(n) }], ...(sharedHeaders && { sharedHeaders }) }));
  await acknowledged();
  const fresh = await cameSince(before, "orders");
  expect(fresh.map(({ headers }) => Object.entries(headers))).toEqual([
    [
      ["a", "1"],
      ["b", "two"],
      ["n", "0"],
    ],
    [
      ["c", "3"],
      ["n", "1"],
    ],
    [
      ["a", "1"],
      ["b", "two"],
      ["n", "2"],
    ],
    [["n", "3"]],
  ]);
});

test("a value or key that is absent is absent, and not empty", async () => {
  const before = (await cluster.read("orders.dead")).length;
  send(record({ topic: "orders.dead", key: null, value: null }));
  send(record({ topic: "orders.dead", key: "", value: Buffer.alloc(0) }));
  await acknowledged();
  const [absent, empty] = (await cluster.read("orders.dead")).slice(before);
  expect(absent).toMatchObject({ key: null, value: null });
  expect(empty).toMatchObject({ key: Buffer.alloc(0), value: Buffer.alloc(0) });
});

test("what needs much room arrives too, and what comes after it", async () => {
  const before = (await cluster.read("orders.dead")).length;
  const sizes = [1_000_000, 10, 1_500_000, 1_700_000, 20, 100_000];
  const records = sizes.map((size, n) =>
    record({ topic: "orders.dead", partition: 5, value: Buffer.alloc(size, n), headers: [{ n: String(n) }] }),
  );
  const noted = (_: number, { error }: { error: string | undefined }) => errors.push(error);
  // More than is kept, then a little.
  for (const some of [records.slice(0, 4), records.slice(4)])
    expect(producer.produceAll(some, noted)).toEqual([]);
  await acknowledged();
  const stored = (await cluster.read("orders.dead")).slice(before);
  expect(stored.map(({ value, headers }) => [headers.n, value?.length, value?.[0]])).toEqual(
    sizes.map((size, n) => [String(n), size, n]),
  );
});

test("what librdkafka refuses is refused in its words, and no report follows", async () => {
  const reported: string[] = [];
  const long = record({ value: Buffer.alloc(maxRecordBytes + 1) });
  expect(() => producer.produce(long, () => reported.push("long"))).toThrow(
    expect.objectContaining({ reason: "too large", message: expect.stringMatching(/too large/) }),
  );
  producer.produce(record({}), () => reported.push("short"));
  await until("the other record has its report", () => reported.length > 0);
  expect(reported).toEqual(["short"]);
});

test("of records that are handed over together each has its own report or refusal", async () => {
  const before = await cluster.read("orders.dead");
  // The last one for partition 1, and the one in between for partition 2, are too long.
  const records = [1, 2, 2, 2, 1, 1].map((partition, n) =>
    record({
      topic: "orders.dead",
      partition,
      value: Buffer.alloc(n === 2 || n === 5 ? maxRecordBytes + 1 : 10),
      headers: [{ n: String(n) }],
    }),
  );
  const places = new Map<string, string>();
  const refused: number[] = [];
  const refusals = producer.produceAll(records, (n, report) => {
    errors.push(report.error);
    places.set(place(report), String(n));
  });
  for (const [n, { message }] of refusals) {
    expect(message).toMatch(/too large/);
    refused.push(n);
  }
  expect(refused).toEqual([2, 5]);
  await acknowledged();
  const stored = await cameSince(before, "orders.dead");
  expect(stored).toHaveLength(4);
  for (const one of stored) expect(places.get(place(one))).toBe(one.headers.n as string);
});

test("with a linger they arrive as well", async () => {
  const before = (await cluster.read("orders.dead")).length;
  const lingering = await openProducer(kafkaConfig(cluster.env), { lingerMs: 5, deliveryTimeoutMs: 20_000 });
  const reported: number[] = [];
  const fifty = Array.from({ length: 50 }, (_, n) => record({ topic: "orders.dead", partition: n % 3 }));
  const refused = lingering.produceAll(fifty, (n, { error }) => {
    errors.push(error);
    reported.push(n);
  });
  expect(refused).toEqual([]);
  await lingering.close(20_000);
  expect(errors.filter((error) => error !== undefined)).toEqual([]);
  expect(reported.sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, n) => n));
  expect(await cluster.read("orders.dead")).toHaveLength(before + 50);
});

test("more than can be told apart are refused, all of them", async () => {
  const before = (await cluster.read("orders.dead")).length;
  const never = () => expect.unreachable();
  const records = Array(2 ** 20 + 1).fill(record({ topic: "orders.dead" }));
  expect(() => producer.produceAll(records, never)).toThrow(RangeError);
  await acknowledged();
  expect(await cluster.read("orders.dead")).toHaveLength(before);
});

test("of one call all go to one topic with the same shared headers, or none of them", async () => {
  const before = (await cluster.read("orders.dead")).length;
  const never = () => expect.unreachable();
  const shared = record({ topic: "orders.dead", sharedHeaders: [{ a: "1" }] });
  for (const other of [
    record({}),
    record({ topic: "orders.dead" }),
    { ...shared, sharedHeaders: [{ a: "1" }] },
  ])
    expect(() => producer.produceAll([shared, other], never)).toThrow(TypeError);
  await acknowledged();
  expect(await cluster.read("orders.dead")).toHaveLength(before);
});

test.each([1, 3])(
  "what is handed over together leaves in one request for each of %i partitions",
  async (partitions) => {
    const produce = 0;
    const invalidRecord = 87;
    const together = await openProducer(kafkaConfig(cluster.env), { deliveryTimeoutMs: 20_000 });
    const records = Array.from({ length: 200 * partitions }, (_, n) => record({ partition: n % partitions }));
    const shares: number[] = [];
    for (let time = 1; time <= 11; time += 1) {
      // As many requests fail, each with all of its records: what left with yet another one is delivered.
      cluster.pushRequestErrors(produce, Array(partitions).fill(invalidRecord));
      let failed = 0;
      const refused = together.produceAll(records, (_, { error }) => {
        if (error !== undefined) failed += 1;
      });
      expect(refused).toEqual([]);
      await together.flush(20_000);
      cluster.clearRequestErrors(produce);
      shares.push(failed / records.length);
    }
    await together.close(0);
    // The thread that sends may happen to be awake, and begin with fewer. Handed over one by one it is 1 % of them.
    expect(shares.sort()[5]).toBeGreaterThan(0.99);
  },
);

test("after it is closed nothing is sent", async () => {
  const closed = await openProducer(kafkaConfig(cluster.env), { deliveryTimeoutMs: 20_000 });
  await closed.close(0);
  expect(() => closed.produce(record({}), () => undefined)).toThrow("closed");
});
