// What node-rdkafka does on Bun through bun_compat, seen from JavaScript, on the mock cluster.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { KafkaConsumer, type Message, Producer } from "node-rdkafka";
import { type MockCluster, startMockCluster } from "./mock-cluster.ts";

const LIMIT_MS = 120_000;
const ASSIGN = -175;
const REVOKE = -174;
const topic = "orders";

let cluster: MockCluster;
beforeAll(() => {
  cluster = startMockCluster({ topics: { [topic]: { partitions: 4, replicationFactor: 3 } } });
});
afterAll(() => cluster.close());

let groups = 0;
function newConsumer(settings = {}): KafkaConsumer {
  const common = { "bootstrap.servers": cluster.bootstrap, "group.id": `group-${++groups}` };
  const strategy = { "partition.assignment.strategy": "cooperative-sticky" };
  const consumer = new KafkaConsumer(
    { ...common, ...strategy, ...settings },
    { "auto.offset.reset": "earliest" },
  );
  consumer.setDefaultConsumeTimeout(100);
  return consumer;
}

const connect = (client: Producer | KafkaConsumer) =>
  new Promise<void>((ok, fail) => client.connect({}, (error: unknown) => (error ? fail(error) : ok())));
const disconnect = (client: Producer | KafkaConsumer) =>
  new Promise<void>((ok, fail) => client.disconnect((error: unknown) => (error ? fail(error) : ok())));

/** Consumes until `enough` says so of what came so far. */
async function consumeUntil(
  consumer: KafkaConsumer,
  enough: (all: Message[]) => boolean,
): Promise<Message[]> {
  const all: Message[] = [];
  for (const end = Date.now() + LIMIT_MS; !enough(all); ) {
    if (Date.now() > end) throw new Error(`only ${all.length} messages came`);
    all.push(
      ...(await new Promise<Message[]>((ok, fail) =>
        consumer.consume(100, (error, messages) => (error ? fail(error) : ok(messages))),
      )),
    );
  }
  return all;
}

test(
  "a rebalance fires its event once, and so does a commit",
  async () => {
    const events: unknown[] = [];
    const consumer = newConsumer({ rebalance_cb: true, offset_commit_cb: true });
    consumer.on("rebalance", ({ code }, partitions) => events.push([code, partitions.length]));
    consumer.on("offset.commit", () => events.push("committed"));
    await connect(consumer);
    consumer.subscribe([topic]);
    await consumeUntil(consumer, () => events.length > 0);
    consumer.commit({ topic, partition: 0, offset: 0 });
    await consumeUntil(consumer, () => events.includes("committed"));
    consumer.unsubscribe();
    await consumeUntil(consumer, () => events.length > 2);
    await disconnect(consumer);
    expect(events).toEqual([[ASSIGN, 4], "committed", [REVOKE, 4]]);
  },
  LIMIT_MS,
);

test(
  "bytes come back as they were sent: all of them, none, and no value at all",
  async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const sent: [value: Buffer | null, key: Buffer | string | null][] = [
      [bytes, bytes],
      [new Uint8Array(bytes.buffer, 10, 20) as Buffer, "schlüssel ☕"],
      [Buffer.alloc(0), Buffer.alloc(0)],
      [null, null],
      [Buffer.alloc(500_000, "x"), ""],
    ];
    const producer = new Producer({ "bootstrap.servers": cluster.bootstrap, dr_msg_cb: true });
    await connect(producer);
    producer.setPollInterval(10);
    const reports: { key?: unknown; value?: unknown }[] = [];
    const delivered = new Promise<void>((ok, fail) =>
      producer.on("delivery-report", (error, report) => {
        if (error) fail(error);
        else if (reports.push(report) === sent.length) ok();
      }),
    );
    const headers = [{ name: "Zoë" }, { "content-type": "application/json" }];
    const timestamp = 1_766_000_000_123;
    for (const [value, key] of sent) producer.produce(topic, 1, value, key, timestamp, undefined, headers);
    await delivered;
    await disconnect(producer);

    const consumer = newConsumer();
    await connect(consumer);
    consumer.assign([{ topic, partition: 1, offset: 0 }]);
    const messages = await consumeUntil(consumer, (all) => all.length >= sent.length);
    await disconnect(consumer);
    const asBuffer = (it: Buffer | string | null) => (it === null ? null : Buffer.from(it));
    const expected = sent.map(([value, key]) => ({ value: asBuffer(value), key: asBuffer(key) }));
    for (const seen of [reports, messages] as { value?: unknown; key?: unknown }[][])
      expect(seen.map(({ value, key }) => ({ value, key }))).toEqual(expected);
    expect(messages.every(({ value }) => value === null || Buffer.isBuffer(value))).toBe(true);
    expect(messages[0]).toMatchObject({ topic, partition: 1, offset: 0, timestamp, size: 256 });
    expect(messages[0]?.headers).toEqual(headers.map((it) => mapValues(it, (text) => Buffer.from(text))));
  },
  LIMIT_MS,
);

test(
  "a subscription by pattern takes the topics that match",
  async () => {
    const consumer = newConsumer({ rebalance_cb: true, "topic.metadata.refresh.interval.ms": 500 });
    const assigned = new Promise<unknown[]>((ok) =>
      consumer.on("rebalance", (_, partitions) => ok(partitions)),
    );
    await connect(consumer);
    consumer.subscribe([/^ord.*$/]);
    let partitions: unknown[] | undefined;
    assigned.then((them) => {
      partitions = them;
    });
    await consumeUntil(consumer, () => partitions !== undefined);
    expect(partitions).toHaveLength(4);
    await disconnect(consumer);
  },
  LIMIT_MS,
);

test(
  "the thread of a flowing consumer starts, delivers, and ends with it",
  async () => {
    const producer = new Producer({ "bootstrap.servers": cluster.bootstrap });
    await connect(producer);
    producer.produce(topic, 2, Buffer.from("flowing"));
    await new Promise((ok, fail) =>
      producer.flush(10_000, (error: unknown) => (error ? fail(error) : ok(0))),
    );
    await disconnect(producer);
    const consumer = newConsumer();
    await connect(consumer);
    const came = new Promise<Message>((ok) => consumer.once("data", ok));
    consumer.assign([{ topic, partition: 2, offset: 0 }]);
    consumer.consume();
    expect(String((await came).value)).toBe("flowing");
    await disconnect(consumer);
  },
  LIMIT_MS,
);

test.each(["connecting", "connected"])(
  "a process told to stop while %s disconnects and ends",
  async (when) => {
    const script = join(import.meta.dir, "testing", "until-told.ts");
    const child = Bun.spawn([process.execPath, script, cluster.bootstrap], {
      stdout: "pipe",
      stderr: "inherit",
      timeout: LIMIT_MS,
      killSignal: "SIGKILL",
    });
    for await (const said of child.stdout.pipeThrough(new TextDecoderStream()))
      if (said.includes(when)) break;
    child.kill("SIGTERM");
    expect([await child.exited, child.signalCode]).toEqual([0, null]);
  },
  LIMIT_MS,
);

function mapValues<T, U>(object: Record<string, T>, map: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, map(value)]));
}
