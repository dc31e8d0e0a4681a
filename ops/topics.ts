/**
 * Creates the topics of the project where they are missing and verifies that they are as strong as configured.
 * Run with `bun run topics` (KAFKA_BROKERS; see src/config.ts). Exit 0: both can be relied on. Exit 1: why not.
 */
import { kafkaConfig } from "../src/config.ts";
import { openProducer } from "../src/kafka/producer.ts";
import { topicFault } from "../src/kafka/topics.ts";
import { startWith } from "../src/runtime/shutdown.ts";
import { createTopic } from "./create-topic.ts";

const config = startWith(() => kafkaConfig());
const deadline = Date.now() + 60_000;

for (const topic of [config.ORDERS_TOPIC, config.DEAD_TOPIC]) {
  const how = await untilDeadline(() => createTopic(config, topic));
  const fault = await untilDeadline(() => check(topic));
  if (fault) {
    console.error(fault);
    process.exit(1);
  }
  console.log(`topic ${topic}: ${how}, verified`);
}
process.exit(0);

async function check(topic: string): Promise<string | undefined> {
  const client = await openProducer(
    { ...config, ORDERS_TOPIC: topic },
    { lingerMs: 0, deliveryTimeoutMs: 1_000 },
  );
  try {
    const partitions = await client.partitions(topic, 5_000);
    // It is there, but a broker hears of it a moment after the one that created it.
    if (partitions.length === 0) throw new Error(`the topic ${topic} is not known to every broker yet`);
    return await topicFault(config, topic, partitions);
  } finally {
    await client.close(0);
  }
}

/** Brokers that are only just starting are waited for. */
async function untilDeadline<T>(step: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await step();
    } catch (error) {
      if (Date.now() > deadline) {
        console.error(`Kafka at ${config.KAFKA_BROKERS}: ${(error as Error).message}`);
        process.exit(1);
      }
      await Bun.sleep(1_000);
    }
  }
}
