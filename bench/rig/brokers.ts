/**
 * Three real brokers for a benchmark, on free ports, in a Compose project of their own; they and their data are gone
 * when it ends. What is on the topic is told by the brokers themselves, never by who produced it.
 */

import { composeWith, removeBrokers } from "../../infra/brokers/compose.ts";
import { ensureImage } from "../../infra/images.ts";
import { must } from "../../kit/capture.ts";
import { thisMachine } from "../../kit/machine.ts";
import { freePorts } from "../../kit/ports.ts";
import { comesTrue } from "../../kit/until.ts";
import { createTopic } from "../../ops/create-topic.ts";
import { kafkaConfig } from "../../src/config.ts";
import Kafka from "../../src/kafka/addon.ts";
import { called } from "../../src/kafka/client.ts";

const upLimitMs = 60_000;
const downLimitMs = 60_000;
const callLimitMs = 5_000;

/** Brokers and a topic on them. */
export type Brokers = {
  /** Variables of whatever sends or reads there. */
  env: { KAFKA_BROKERS: string; ORDERS_TOPIC: string };
  pids: number[];
  /** How many records have been appended to the topic since it was made. */
  appended(): Promise<number>;
  /** The same brokers with a topic of its own, which is empty. */
  onNewTopic(): Promise<Brokers>;
};

/** Starts them, with both topics. @throws UserError, or Error when they don't come up */
export async function startBrokers(
  stop: AbortSignal,
): Promise<{ brokers: Brokers; down: () => Promise<void> }> {
  const env = await freePorts(["ZOOKEEPER_PORT", "KAFKA_PORT_1", "KAFKA_PORT_2", "KAFKA_PORT_3"]);
  const image = await ensureImage(thisMachine(stop), "kafka");
  const compose = composeWith({ ...env, KAFKA_IMAGE: image });
  const bootstrap = [1, 2, 3].map((n) => `127.0.0.1:${env[`KAFKA_PORT_${n}`]}`).join(",");
  const { TOPIC_PARTITIONS } = process.env;
  const config = kafkaConfig({ KAFKA_BROKERS: bootstrap, TOPIC_PARTITIONS });

  await removeBrokers();
  try {
    await compose(["up", "--detach"], upLimitMs, stop);
    await createTopics();
    const pids = await Promise.all([1, 2, 3].map((n) => pidOf(`kafka${n}`)));
    return { brokers: onTopic(config.ORDERS_TOPIC, pids, await openClient(bootstrap)), down: removeBrokers };
  } catch (error) {
    await removeBrokers();
    throw error;
  }

  async function createTopics(): Promise<void> {
    let lastError: unknown;
    const created = await comesTrue(
      async () => {
        stop.throwIfAborted();
        try {
          for (const topic of [config.ORDERS_TOPIC, config.DEAD_TOPIC]) await createTopic(config, topic);
          return true;
        } catch (error) {
          lastError = error;
          return false;
        }
      },
      upLimitMs,
      500,
    );
    if (!created) throw new Error("the brokers did not come up", { cause: lastError });
  }

  async function pidOf(service: string): Promise<number> {
    const id = await compose(["ps", "--quiet", service], downLimitMs);
    return Number(
      await must(["docker", "inspect", "--format", "{{.State.Pid}}", id], { limitMs: downLimitMs }),
    );
  }

  function onTopic(topic: string, pids: number[], client: Kafka.Producer): Brokers {
    const end = async (partition: number) => {
      const { highOffset } = await called<Kafka.WatermarkOffsets>((done) =>
        client.queryWatermarkOffsets(topic, partition, callLimitMs, done),
      );
      return highOffset;
    };
    return {
      env: { KAFKA_BROKERS: bootstrap, ORDERS_TOPIC: topic },
      pids,
      async appended() {
        const ends = await Promise.all(Array.from({ length: config.TOPIC_PARTITIONS }, (_, n) => end(n)));
        return ends.reduce((sum, one) => sum + one, 0);
      },
      async onNewTopic() {
        const fresh = `orders-${Bun.randomUUIDv7()}`;
        await createTopic(config, fresh);
        return onTopic(fresh, pids, client);
      },
    };
  }
}

/** Asks for the ends of partitions, and nothing else. */
async function openClient(bootstrap: string): Promise<Kafka.Producer> {
  const client = new Kafka.Producer({ "bootstrap.servers": bootstrap });
  // What lasts is noticed as an answer that does not come.
  client.on("event.error", () => undefined);
  await called((done) => client.connect({ timeout: callLimitMs }, done));
  return client;
}
