/**
 * Warms brokers that have just started: what their JVMs have not compiled yet takes seconds instead of milliseconds, and
 * the first orders would wait for it. Records go through a topic of its own, at an everyday rate, and are read, until they
 * are acknowledged quickly and no longer ever quicker; the topic is removed. The tiers and their topics are not touched.
 * Exit 0 also where the time is over: that is said, and the brokers are as warm as they are.
 */
import { ownCommandLine } from "../kit/arguments.ts";
import { ascending, percentile } from "../kit/percentile.ts";
import { kafkaConfig } from "../src/config.ts";
import Kafka from "../src/kafka/addon.ts";
import { called, clientOptions, disconnect } from "../src/kafka/client.ts";
import { openProducer } from "../src/kafka/producer.ts";
import { startWith } from "../src/runtime/shutdown.ts";
import { createTopic, deleteTopic } from "./create-topic.ts";

const windowMs = 3_000;
const mostWindows = 15;
const pauseMs = 12;
const groupRecords = 3;
/** About an order's. */
const value = Buffer.alloc(200, "x");
const quickMs = 250;
/** Less than this part of what it took before, and it is still getting quicker. */
const steadyShare = 0.8;
const timeoutMs = 10_000;
/** A broker that has not heard of the topic yet tells a client that there is none, also after another told of it. */
const notHeardYet = /unknown (topic|partition)/i;

const usage =
  "bun ops/warm-up.ts     warms the brokers of KAFKA_BROKERS that have just started, and takes no options";
ownCommandLine(usage, {}, () => undefined);

const config = startWith(() => kafkaConfig());
const topic = `warm-up-${crypto.randomUUID()}`;
const scratch = { ...config, ORDERS_TOPIC: topic };

// Whatever a broker or a client hangs at.
setTimeout(
  () => {
    console.error("  given up: it took too long");
    process.exit(1);
  },
  mostWindows * windowMs + 3 * timeoutMs,
).unref();
await createTopic(config, topic);
try {
  const producer = await openProducer(scratch, { deliveryTimeoutMs: timeoutMs });
  try {
    // The broker that is asked hears of a new topic a moment after the one that made it.
    while ((await producer.metadata(topic, timeoutMs)).partitions.length < config.TOPIC_PARTITIONS)
      await Bun.sleep(pauseMs);
    await using reader = await openReader();
    let lastMs = Number.POSITIVE_INFINITY;
    for (let n = 1; n <= mostWindows; n += 1) {
      const p99Ms = percentile(ascending(await acknowledgements(producer)), 99);
      console.log(`  warming the brokers: p99 ${Math.round(p99Ms)} ms, ${reader.read()} records read`);
      if (p99Ms <= quickMs && p99Ms >= steadyShare * lastMs) break;
      if (n === mostWindows) console.log("  They are not steady yet: this machine is slow, or busy.");
      lastMs = p99Ms;
    }
  } finally {
    await producer.close(timeoutMs);
  }
} finally {
  await deleteTopic(config, topic, timeoutMs);
}
process.exit(0);

/** How long each record of a window took; one without an acknowledgement took the whole time. */
async function acknowledgements(producer: Awaited<ReturnType<typeof openProducer>>): Promise<number[]> {
  const took: number[] = [];
  const endMs = performance.now() + windowMs;
  for (let n = 0; performance.now() < endMs; n += 1) {
    const sentMs = performance.now();
    const partition = n % config.TOPIC_PARTITIONS;
    for (let record = 0; record < groupRecords; record += 1)
      try {
        producer.produce({ topic, partition, key: null, value, headers: [] }, ({ error }) => {
          took.push(error === undefined ? performance.now() - sentMs : timeoutMs);
        });
      } catch (error) {
        if (!notHeardYet.test((error as Error).message)) throw error;
        took.push(timeoutMs);
      }
    await Bun.sleep(pauseMs);
  }
  await producer.flush(timeoutMs);
  return took;
}

/** Reads all of the topic, in no group. */
async function openReader() {
  const consumer = new Kafka.KafkaConsumer(
    { ...clientOptions(config), "group.id": "coffee-orders-warm-up", "enable.auto.commit": false },
    { "auto.offset.reset": "earliest" },
  );
  consumer.on("event.error", ({ message }) => {
    if (!notHeardYet.test(message)) console.error(`  ${message}`);
  });
  await called((done) => consumer.connect({ topic, timeout: timeoutMs }, done));
  const partitions = Array.from({ length: config.TOPIC_PARTITIONS }, (_, partition) => partition);
  consumer.assign(partitions.map((partition) => ({ topic, partition, offset: 0 })));
  consumer.setDefaultConsumeTimeout(100);
  let count = 0;
  let isOver = false;
  /** One call at a time, and none when it disconnects: that would wait for it. */
  const poll = () =>
    new Promise<number>((resolve) => {
      consumer.consume(1_000, (_, records) => resolve(records?.length ?? 0));
    });
  const reading = (async () => {
    while (!isOver) count += await poll();
  })();
  return {
    read: () => count,
    async [Symbol.asyncDispose]() {
      isOver = true;
      await reading;
      await disconnect(consumer);
    },
  };
}
