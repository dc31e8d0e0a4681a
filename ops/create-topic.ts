/** Creates topics, with all of what the tiers demand of them explicit (src/kafka/topics.ts); and deletes one. */
import type { KafkaConfig } from "../src/config.ts";
import Kafka from "../src/kafka/addon.ts";
import { called, clientOptions } from "../src/kafka/client.ts";
import { longestBatchBytes } from "../src/kafka/topics.ts";

const timeoutMs = 10_000;
const alreadyExists = 36;
const denied = 29;
const weekMs = 604_800_000;
/** A broker's default. */
const usualBatchBytes = 1_048_588;

/** Creates a topic as configured; one that exists is left as it is. @throws Error with the brokers' words. */
export function createTopic(config: KafkaConfig, topic: string): Promise<"created" | "existing"> {
  const admin = Kafka.AdminClient.create(clientOptions(config) as Kafka.GlobalConfig);
  const spec = {
    topic,
    num_partitions: config.TOPIC_PARTITIONS,
    replication_factor: config.REPLICATION_FACTOR,
    config: {
      "min.insync.replicas": String(config.MIN_INSYNC_REPLICAS),
      "unclean.leader.election.enable": "false",
      "max.message.bytes": String(Math.max(longestBatchBytes(config, topic), usualBatchBytes)),
      "cleanup.policy": "delete",
      "retention.ms": String(Math.max(weekMs, config.MIN_RETENTION_MS)),
      "retention.bytes": "-1",
    },
  };
  return new Promise<"created" | "existing">((resolve, reject) => {
    admin.createTopic(spec as unknown as Kafka.NewTopic, timeoutMs, (error) => {
      if (!error) resolve("created");
      else if (error.code === alreadyExists) resolve("existing");
      else if (error.code === denied) reject(new Error(`no right to CREATE the topic ${topic}`));
      else reject(error);
    });
  }).finally(() => admin.disconnect());
}

/** Deletes a topic; for a moment some brokers still know it. @throws Error with the brokers' words. */
export function deleteTopic(config: KafkaConfig, topic: string, limitMs: number): Promise<void> {
  const admin = Kafka.AdminClient.create(clientOptions(config) as Kafka.GlobalConfig);
  const deleted = called<void>((done) =>
    admin.deleteTopic(topic, limitMs, (error) => done(error, undefined)),
  );
  return deleted.finally(() => admin.disconnect());
}
