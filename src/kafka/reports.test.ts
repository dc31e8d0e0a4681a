import { afterAll, expect, test } from "bun:test";
import { until } from "../../kit/until.ts";
import { startOrdersCluster } from "../../testing/kafka.ts";
import { kafkaConfig } from "../config.ts";
import Kafka from "./addon.ts";
import { handleOf } from "./client.ts";
import { openProducer } from "./producer.ts";
import { openReports, type Report } from "./reports.ts";
import type { OutgoingRecord } from "./sender.ts";
import { openSender } from "./sender.ts";

const cluster = startOrdersCluster();
afterAll(() => cluster[Symbol.dispose]());

const open = (at = cluster, deliveryTimeoutMs = 20_000) =>
  openProducer(kafkaConfig(at.env), { deliveryTimeoutMs });

/** All of one key, which says nothing of whose report is whose. */
const record = (value: string, partition = 0, topic = "orders"): OutgoingRecord => ({
  ...{ topic, partition, value },
  key: "key",
  headers: [],
});

async function connected(settings = {}): Promise<Kafka.Producer> {
  const client = new Kafka.Producer({ "bootstrap.servers": cluster.bootstrap, ...settings });
  await new Promise<void>((resolve, reject) =>
    client.connect({ topic: "orders" }, (error) => (error ? reject(error) : resolve())),
  );
  return client;
}

/** A client of which nobody polls but the test, with so many reports that wait to be taken. */
async function withReports(count: number) {
  const client = await connected();
  const handle = handleOf(client);
  const tags: number[] = [];
  const reports = openReports(handle, (tag) => tags.push(tag));
  const sender = openSender(handle, false);
  const records = Array.from({ length: count }, (_, n) => record(`${n + 1}`, 0, "orders.dead"));
  expect(sender.send(records, 1)).toEqual([]);
  await new Promise<void>((resolve, reject) =>
    client.flush(20_000, (error: unknown) => (error ? reject(error) : resolve())),
  );
  return {
    tags,
    reports,
    async [Symbol.asyncDispose]() {
      reports.close();
      sender.close();
      await new Promise((resolve) => client.disconnect(resolve));
    },
  };
}

test("each of many thousand records has its own report, which says where it lies", async () => {
  const producer = await open();
  const count = 20_000;
  const reports = Array.from({ length: count }, (): Report[] => []);
  for (const [n, own] of reports.entries())
    producer.produce(record(`${n}`, n % 12), (report) => own.push(report));
  await producer.flush(20_000);
  await producer.close(0);
  expect(reports.filter(({ length }) => length !== 1)).toEqual([]);
  const place = ({ partition, offset }: { partition: number; offset: number | undefined }) =>
    `${partition} ${offset}`;
  const valueAt = new Map((await cluster.read("orders")).map((one) => [place(one), String(one.value)]));
  expect(reports.flat().filter(({ error }) => error !== undefined)).toEqual([]);
  expect(reports.flat().map((report) => valueAt.get(place(report)))).toEqual(
    Array.from(reports, (_, n) => `${n}`),
  );
});

test.each([1, 4_095, 4_096, 4_097, 10_000])(
  "all of %i reports are taken by one poll, in their order",
  async (count) => {
    await using client = await withReports(count);
    expect(client.tags).toEqual([]);
    client.reports.poll();
    expect(client.tags).toEqual(Array.from({ length: count }, (_, n) => n + 1));
    client.reports.poll();
    expect(client.tags).toHaveLength(count);
  },
);

test.each([
  ["what Kafka refuses", 87, /^Broker: .*record/i],
  ["what a broker says it has already, at the first try,", 46, /^Broker: .*duplicate sequence/i],
])("%s is reported in its words, and what comes after it is not", async (_, refusal, words) => {
  const produce = 0;
  const producer = await open();
  const reports: Report[] = [];
  for (const [n, errors] of [[], [refusal], []].entries()) {
    cluster.pushRequestErrors(produce, errors);
    producer.produce(record(`${n}`, 3), (report) => reports.push(report));
    await until("it has its report", () => reports.length > n);
  }
  await producer.close(0);
  expect(reports).toEqual([
    { error: undefined, code: 0, partition: 3, offset: expect.any(Number) },
    { error: expect.stringMatching(words), code: refusal, partition: 3, offset: undefined },
    { error: undefined, code: 0, partition: 3, offset: (reports[0]?.offset ?? 0) + 1 },
  ]);
});

test.each([
  ["refused, for there are too few replicas in sync", 19],
  ["refused by a broker that does not lead any more", 6],
  ["not known to be written", 7],
])("a record that was %s, is not acknowledged by the acknowledgement of a later one", async (_, refusal) => {
  // A broker without state of a producer, since it has none of its records yet or any more, takes a batch of any number: also
  // where the one before it was refused.
  using own = startOrdersCluster();
  const producer = await open(own);
  const reports: { value: string; report: Report }[] = [];
  const send = (value: string) =>
    producer.produce(record(value, 3), (report) => reports.push({ value, report }));
  send("0");
  await until("the first has its report", () => reports.length === 1);
  own.eachBroker((id) => own.setBrokerRttMs(id, 300));
  own.pushRequestErrors(0, [refusal]);
  for (let n = 1; reports.length === 1; n += 1) {
    send(`${n}`);
    await Bun.sleep(5);
  }
  own.eachBroker((id) => own.setBrokerRttMs(id, 0));
  await producer.flush(20_000);
  await producer.close(0);
  const written = new Map((await own.read("orders")).map(({ value, offset }) => [offset, String(value)]));
  const acknowledged = reports.filter(({ report }) => report.error === undefined);
  expect(acknowledged.length).toBeGreaterThan(1);
  for (const { value, report } of acknowledged) expect(written.get(report.offset as number)).toBe(value);
  const { report } = reports.find(({ value }) => value === "1") as (typeof reports)[number];
  expect(report.error).toBe("a later record was acknowledged, and not this one");
});

test("what no broker takes in time is reported in librdkafka's words", async () => {
  using own = startOrdersCluster();
  const producer = await open(own, 300);
  own.eachBroker((id) => own.brokerDown(id));
  const reports: Report[] = [];
  for (const partition of [0, 7]) producer.produce(record("{}", partition), (one) => reports.push(one));
  await until("both have their reports", () => reports.length === 2);
  await producer.close(0);
  const late = { error: "Local: Message timed out", code: -192, offset: undefined };
  expect(reports.sort((one, other) => one.partition - other.partition)).toEqual([
    { ...late, partition: 0 },
    { ...late, partition: 7 },
  ]);
});

test("a report that nobody has taken before the closing is not handed on after it", async () => {
  await using client = await withReports(10);
  client.reports.close();
  client.reports.poll();
  expect(client.tags).toEqual([]);
});

test("once a producer is closed it calls nobody, whether a report waits or is still to come", async () => {
  const producer = await open();
  const other = await open();
  let calls = 0;
  const produce = (count: number) => {
    for (let n = 0; n < count; n += 1) producer.produce(record(`${n}`), () => (calls += 1));
  };
  produce(10);
  // Long enough for reports to come; nobody takes them, since the event loop stands still.
  Bun.sleepSync(200);
  produce(1_000);
  await producer.close(0);
  const acknowledged = Promise.withResolvers<Report>();
  other.produce(record("{}"), acknowledged.resolve);
  expect((await acknowledged.promise).error).toBeUndefined();
  await other.close(0);
  expect(calls).toBe(0);
});

test("a client of node-rdkafka's that wants its own events has them, beside one whose reports are collected", async () => {
  const producer = await open();
  const client = await connected({ dr_cb: true });
  const another = await open();
  const events: unknown[] = [];
  const places: number[] = [];
  client.on("delivery-report", (error, { opaque, partition }) => events.push([error, opaque, partition]));
  const count = 100;
  for (let n = 0; n < count; n += 1) {
    for (const one of [producer, another])
      one.produce(record(`${n}`, 1), ({ partition }) => places.push(partition));
    client.produce("orders", 2, Buffer.from("{}"), "key", undefined, { n });
  }
  await until("each has its reports", () => {
    client.poll();
    return events.length >= count && places.length >= 2 * count;
  });
  expect(events).toEqual(Array.from({ length: count }, (_, n) => [null, { n }, 2]));
  expect(places).toEqual(Array.from({ length: 2 * count }, () => 1));
  await new Promise((resolve) => client.disconnect(resolve));
  await Promise.all([producer.close(0), another.close(0)]);
});

test("so has one that comes to lie where a closed one lay", async () => {
  for (let time = 0; time < 10; time += 1) {
    await (await open()).close(0);
    const client = await connected({ dr_cb: true });
    let events = 0;
    client.on("delivery-report", () => {
      events += 1;
    });
    client.produce("orders", 0, Buffer.from("{}"));
    await until("it has its report", () => {
      client.poll();
      return events === 1;
    });
    await new Promise((resolve) => client.disconnect(resolve));
  }
});
