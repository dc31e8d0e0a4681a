import { afterEach, expect, test } from "bun:test";
import { join } from "node:path";
import { KafkaConsumer, Producer } from "node-rdkafka";
import { type MockCluster, startMockCluster } from "./mock-cluster.ts";

const topic = "orders";
const layout = { partitions: 12, replicationFactor: 3 };
const ends: (() => unknown)[] = [];
const atEnd = <T extends { disconnect(cb: () => void): unknown } | MockCluster>(it: T): T => {
  ends.unshift(() => ("close" in it ? it.close() : new Promise<void>((ok) => it.disconnect(() => ok()))));
  return it;
};
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

const cluster = () => atEnd(startMockCluster({ topics: { [topic]: layout } }));

const connected = <T extends Producer | KafkaConsumer>(client: T): Promise<T> =>
  new Promise((ok, fail) =>
    client.connect({ timeout: 10_000 }, (error: unknown) => (error ? fail(error) : ok(atEnd(client)))),
  );

async function newProducer(bootstrap: string, settings = {}): Promise<Producer> {
  const producer = await connected(
    new Producer({ "bootstrap.servers": bootstrap, dr_cb: true, "linger.ms": 1, ...settings }),
  );
  producer.setPollInterval(5);
  return producer;
}

/** Sends one message, gives its delivery report: the partition and offset, or the error's message. */
function delivered(producer: Producer, partition: number, value: string): Promise<string> {
  return new Promise((ok) => {
    producer.once("delivery-report", (error, report) =>
      ok(error ? error.message : `${report.partition}@${report.offset}`),
    );
    producer.produce(topic, partition, Buffer.from(value), value);
  });
}

/** Reads until it has seen `count` values. */
async function read(consumer: KafkaConsumer, count: number): Promise<string[]> {
  const values: string[] = [];
  for (const end = Date.now() + 60_000; values.length < count && Date.now() < end; ) {
    const messages = await new Promise<{ value: Buffer | string | null }[]>((ok, fail) =>
      consumer.consume(100, (error, batch) => (error ? fail(error) : ok(batch))),
    );
    values.push(...messages.map((m) => String(m.value)));
    await Bun.sleep(5);
  }
  return values;
}

test("what a producer sends to it, a consumer group reads from it", async () => {
  const { bootstrap } = cluster();
  expect(bootstrap).toMatch(/^127\.0\.0\.1:\d+,127\.0\.0\.1:\d+,127\.0\.0\.1:\d+$/);
  const producer = await newProducer(bootstrap, { "enable.idempotence": true });
  expect(await delivered(producer, 11, "first")).toBe("11@0");
  expect(await delivered(producer, 11, "second")).toBe("11@1");

  const consumer = await connected(
    new KafkaConsumer(
      {
        "bootstrap.servers": bootstrap,
        "group.id": "g",
        "partition.assignment.strategy": "cooperative-sticky",
      },
      { "auto.offset.reset": "earliest" },
    ),
  );
  consumer.subscribe([topic]);
  expect(await read(consumer, 2)).toEqual(["first", "second"]);
});

test("a broker that is down holds up its partitions, and no others, until it is up again", async () => {
  const mock = cluster();
  const producer = await newProducer(mock.bootstrap, { "message.timeout.ms": 10_000 });
  mock.brokerDown(1); // leads 0, 3, 6, 9
  let held = true;
  const first = delivered(producer, 0, "to the dead leader").finally(() => {
    held = false;
  });
  const other = await newProducer(mock.bootstrap);
  expect(await delivered(other, 1, "to another")).toBe("1@0");
  expect(held).toBe(true);
  mock.brokerUp(1);
  expect(await first).toBe("0@0");
});

test("a partition moves to the leader it is given", async () => {
  const mock = cluster();
  mock.brokerDown(1);
  mock.setPartitionLeader(topic, 0, 2);
  expect(await delivered(await newProducer(mock.bootstrap), 0, "x")).toBe("0@0");
});

test("a round trip lasts as long as it is told", async () => {
  const mock = cluster();
  const producer = await newProducer(mock.bootstrap);
  await delivered(producer, 0, "warm-up");
  mock.setBrokerRttMs(1, 300);
  const from = performance.now();
  await delivered(producer, 0, "slow");
  expect(performance.now() - from).toBeGreaterThan(295);
});

test("pushed errors fail as many requests, then it heals", async () => {
  const mock = cluster();
  const producer = await newProducer(mock.bootstrap, { retries: 0 });
  mock.pushRequestErrors(0, [87, 87]); // Produce, INVALID_RECORD
  expect(await delivered(producer, 0, "a")).toContain("failed to validate record");
  expect(await delivered(producer, 0, "b")).toContain("failed to validate record");
  expect(await delivered(producer, 0, "c")).toBe("0@0");
  mock.pushRequestErrors(0, [87]);
  mock.clearRequestErrors(0);
  expect(await delivered(producer, 0, "d")).toBe("0@1");
});

test("faults that it cannot bring about are said, and so is use after close", () => {
  const mock = cluster();
  expect(() => mock.brokerDown(9)).toThrow("BROKER_NOT_AVAILABLE");
  expect(() => mock.setPartitionLeader(topic, 99, 1)).toThrow("mock cluster: leader of orders[99]");
  expect(() => mock.createTopic(topic, layout)).toThrow("TOPIC_ALREADY_EXISTS");
  expect(() => startMockCluster({ brokers: 0 })).toThrow("0 brokers");
  mock.close();
  mock.close();
  expect(() => mock.brokerDown(1)).toThrow("closed");
});

test("the server prints its bootstrap, serves other processes, and ends on SIGTERM", async () => {
  const server = Bun.spawn([process.execPath, join(import.meta.dir, "mock-server.ts")], { stdout: "pipe" });
  try {
    const { value } = await server.stdout.getReader().read();
    const bootstrap = new TextDecoder().decode(value).trim();
    expect(await delivered(await newProducer(bootstrap), 11, "x")).toBe("11@0");
    server.kill("SIGTERM");
    expect(await server.exited).toBe(0);
  } finally {
    server.kill("SIGKILL");
  }
});
