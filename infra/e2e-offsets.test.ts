// A topic's offsets that go back, on a real broker: the log is cut as a power loss cuts it, and grows again, or the topic is
// deleted and made anew. Whatever is in the log afterwards is handled, and the commit follows. One broker alone.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Kafka from "../src/kafka/addon.ts";
import { openTopics, type RawRecord } from "../src/testing/kafka.ts";
import { idOf, recordOf, startTestConsumer, temporaryLedger } from "../src/testing/test-consumer.ts";
import { until } from "../src/testing/until.ts";
import { must } from "./capture.ts";
import { ensureImage } from "./images.ts";
import { freePorts } from "./ports.ts";
import { thisMachine } from "./setup/machine.ts";

setDefaultTimeout(180_000);
const waitMs = 90_000;
const name = `coffee-orders-offsets-${process.pid}`;
const data = mkdtempSync(join(tmpdir(), "coffee-orders-broker-"));
let bootstrap = "";
let admin: Kafka.IAdminClient;

const docker = (...args: string[]) => must(["docker", ...args], { limitMs: 60_000 });

beforeAll(async () => {
  const image = await ensureImage(thisMachine(new AbortController().signal), "kafka");
  const ports = await freePorts(["KAFKA", "CONTROLLER"]);
  bootstrap = `127.0.0.1:${ports.KAFKA}`;
  const controller = `127.0.0.1:${ports.CONTROLLER}`;
  const settings = {
    "node.id": "1",
    "process.roles": "broker,controller",
    listeners: `PLAINTEXT://${bootstrap},CONTROLLER://${controller}`,
    "advertised.listeners": `PLAINTEXT://${bootstrap}`,
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "controller.quorum.voters": `1@${controller}`,
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
    "auto.create.topics.enable": "false",
    "log.dirs": "/data/logs",
  };
  const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}\n`);
  writeFileSync(join(data, "server.properties"), lines.join(""));
  const java = "java -Xmx256m -cp '/opt/kafka/libs/*'";
  const format = "kafka.tools.StorageTool format --ignore-formatted -t MkU3OEVBNTcwNTJENDM2Qg";
  const command = `${java} ${format} -c /data/server.properties; exec ${java} kafka.Kafka /data/server.properties`;
  await docker(
    ...["run", "--detach", "--name", name, "--network", "host", "--user", "0"],
    ...["--volume", `${data}:/data`, image, "sh", "-c", command],
  );
  admin = Kafka.AdminClient.create({ "bootstrap.servers": bootstrap });
  await up();
}, 240_000);

afterAll(async () => {
  admin?.disconnect();
  await docker("rm", "--force", "--volumes", name);
  rmSync(data, { recursive: true, force: true });
});

const up = () =>
  until(
    "the broker is up",
    () =>
      create(`up-${Date.now()}`).then(
        () => true,
        () => false,
      ),
    waitMs,
  );

function done(act: (callback: (error: Kafka.LibrdKafkaError) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => act((error) => (error ? reject(error) : resolve())));
}
const create = (topic: string) =>
  done((callback) => admin.createTopic({ topic, num_partitions: 1, replication_factor: 1 }, 5_000, callback));
const remove = (topic: string) => done((callback) => admin.deleteTopic(topic, 5_000, callback));

/** A topic of its own, a group and a ledger; and which orders were handled. */
async function newPlace(topic: string) {
  await create(topic);
  await create(`${topic}.dead`);
  const ledger = temporaryLedger();
  const handled = new Map<string, number>();
  const topics = openTopics(bootstrap);
  let sent = 0;
  return {
    handled,
    env: {
      ...{
        KAFKA_BROKERS: bootstrap,
        ORDERS_TOPIC: topic,
        DEAD_TOPIC: `${topic}.dead`,
        CONSUMER_GROUP: topic,
      },
      ...{ LEDGER_URL: ledger.url, REPLICATION_FACTOR: "1", MIN_INSYNC_REPLICAS: "1", TOPIC_PARTITIONS: "1" },
      SESSION_TIMEOUT_MS: "60000",
    },
    handle: async (order: { id: string }) => {
      handled.set(order.id, (handled.get(order.id) ?? 0) + 1);
    },
    /** Puts orders in batches of ten. @returns their ids */
    async put(count: number): Promise<string[]> {
      const records = Array.from({ length: count }, () => recordOf(`${topic}/${++sent}`));
      for (let n = 0; n < count; n += 10) await topics.put(topic, records.slice(n, n + 10) as RawRecord[]);
      return records.map(idOf);
    },
    async all(ids: string[]) {
      const missing = () => ids.filter((id) => !handled.has(id)).length;
      await until("all are handled", () => missing() === 0, waitMs).catch((error: Error) => {
        throw new Error(`${error.message}; ${missing()} of ${ids.length} are not`);
      });
    },
  };
}

/** The broker dies and loses the log's end, as far as a part of it. */
async function cut(topic: string, part: number): Promise<void> {
  await docker("kill", name);
  const log = join(data, "logs", `${topic}-0`, "00000000000000000000.log");
  truncateSync(log, Math.floor(statSync(log).size * part));
  await docker("start", name);
  await up();
}

for (const [what, more] of [
  ["less than was there", 30],
  ["beyond the position", 200],
] as const)
  test(`the log is cut within the session and grows again to ${what}`, async () => {
    const place = await newPlace(`cut-${more}`);
    await using consumer = startTestConsumer(place.env, place.handle);
    await place.all(await place.put(100));
    await consumer.reaches("kafka_partition_committed", 100);
    await cut(`cut-${more}`, 0.5);
    await place.all(await place.put(more));
    expect(await consumer.metric("kafka_partition_restarts_total")).toBeGreaterThan(0);
    await until("the commit follows", async () => {
      const [committed, end] = [await consumer.metric("kafka_partition_committed"), 50 + more];
      return committed <= end && committed === (await consumer.metric("kafka_partition_position"));
    });
  });

for (const [gapMs, count] of [
  [300, 80],
  [2_000, 20],
  [25_000, 80],
] as const)
  test(`the topic is made anew after ${gapMs} ms and has ${count} orders, 50 were handled`, async () => {
    const topic = `anew-${gapMs}-${count}`;
    const place = await newPlace(topic);
    await using consumer = startTestConsumer(place.env, place.handle);
    await place.all(await place.put(50));
    await consumer.reaches("kafka_partition_committed", 50);
    await remove(topic);
    await Bun.sleep(gapMs);
    await until(
      "it is there anew",
      () =>
        create(topic).then(
          () => true,
          () => false,
        ),
      waitMs,
    );
    await place.all(await place.put(count));
  });

test("the topic is made anew while no consumer runs", async () => {
  const place = await newPlace("anew-away");
  const first = startTestConsumer(place.env, place.handle);
  await place.all(await place.put(50));
  await first.drain();
  await remove("anew-away");
  await until(
    "it is there anew",
    () =>
      create("anew-away").then(
        () => true,
        () => false,
      ),
    waitMs,
  );
  const ids = await place.put(90);
  await using _ = startTestConsumer(place.env, place.handle);
  await place.all(ids);
});
