/**
 * Creates the topics of the project where they are missing and verifies that they are as strong as configured.
 */
import { ownCommandLine } from "../kit/arguments.ts";
import { kafkaConfig } from "../src/config.ts";
import { openProducer } from "../src/kafka/producer.ts";
import { askOnce } from "../src/kafka/topics.ts";
import { startWith } from "../src/runtime/shutdown.ts";
import { createTopic } from "./create-topic.ts";
import { hintOfTls } from "./protocol.ts";

const usage = `bun run topics
Creates the topics where they are missing and verifies that they are as strong as configured. What they are called and how
strong they are to be comes from the same variables as for the tiers: KAFKA_BROKERS, ORDERS_TOPIC, DEAD_TOPIC, …
Brokers that do not answer are tried for two minutes.
Exit code: 0 both can be relied on; 1 why not, for whoever is not admitted within 10 s; 2 the command was not understood.`;
ownCommandLine(usage, {}, () => undefined);

const config = startWith(() => kafkaConfig());
const deadline = Date.now() + 120_000;
/** What waiting does not mend: a password, a mechanism, a certificate, a right, a protocol. */
const final = /authenticat|no right|certificate|SASL|SSL|TLS/i;

for (const topic of [config.ORDERS_TOPIC, config.DEAD_TOPIC]) {
  await untilDeadline(() => reach(topic));
  const how = await untilDeadline(() => createTopic(config, topic));
  const fault = await untilDeadline(() => check(topic));
  if (fault) {
    console.error(fault);
    process.exit(1);
  }
  console.log(`topic ${topic}: ${how}, verified`);
}
process.exit(0);

/** The client that creates does not say what keeps it from the brokers; this one does. */
async function reach(topic: string): Promise<void> {
  const client = await openProducer({ ...config, ORDERS_TOPIC: topic }, { deliveryTimeoutMs: 1_000 });
  await client.close(0);
}

async function check(topic: string): Promise<string | undefined> {
  const { partitions, fault } = await askOnce(config, topic);
  // It is there, but a broker hears of it a moment after the one that created it.
  if (partitions.length === 0) throw new Error(`the topic ${topic} is not known to every broker yet`);
  return fault;
}

/** Brokers that are only just starting are waited for, and it is said why. */
async function untilDeadline<T>(step: () => Promise<T>): Promise<T> {
  for (let told = ""; ; ) {
    try {
      return await step();
    } catch (error) {
      const { KAFKA_BROKERS: brokers, KAFKA_SECURITY_PROTOCOL: protocol } = config;
      const message = `${(error as Error).message}${await hintOfTls(brokers, protocol)}`;
      if (Date.now() > deadline || final.test(message)) {
        console.error(`Kafka at ${brokers}: ${message}`);
        process.exit(1);
      }
      if (message !== told) console.error(`Kafka at ${brokers}, tried for two minutes: ${message}`);
      told = message;
      await Bun.sleep(1_000);
    }
  }
}
