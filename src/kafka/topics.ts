/**
 * The promise «on at least two replicas» rests on how the topics are made: they are created with it, and no tier
 * runs on a topic that is weaker than configured.
 */

import type { KafkaConfig } from "../config.ts";
import Kafka from "./addon.ts";
import { clientOptions } from "./client.ts";
import { describeTopicConfigs } from "./describe-configs.ts";
import { maxRecordBytes, type PartitionState } from "./producer.ts";

const timeoutMs = 10_000;
const alreadyExists = 36;

/** Creates a topic as configured; one that exists is left as it is. @throws Error with the brokers' words. */
export function createTopic(config: KafkaConfig, topic: string): Promise<"created" | "existing"> {
  const admin = Kafka.AdminClient.create(clientOptions(config) as Kafka.GlobalConfig);
  return new Promise<"created" | "existing">((resolve, reject) => {
    const spec = {
      topic,
      num_partitions: config.TOPIC_PARTITIONS,
      replication_factor: config.REPLICATION_FACTOR,
      config: {
        "min.insync.replicas": String(config.MIN_INSYNC_REPLICAS),
        // A replica that lacks acknowledged records must never become the leader.
        "unclean.leader.election.enable": "false",
        // A dead letter is as long as the longest record, and its headers besides.
        ...(topic === config.DEAD_TOPIC && { "max.message.bytes": String(maxRecordBytes) }),
      },
    };
    admin.createTopic(spec as unknown as Kafka.NewTopic, timeoutMs, (error) => {
      if (!error) resolve("created");
      else if (error.code === alreadyExists) resolve("existing");
      else reject(error);
    });
  }).finally(() => admin.disconnect());
}

/**
 * Says in words why a topic can't be trusted with accepted orders; undefined when it can.
 * @param partitions the topic's partitions as the brokers' metadata has them
 * @throws Error when the brokers can't be asked
 */
export async function topicFault(
  config: KafkaConfig,
  topic: string,
  partitions: PartitionState[],
): Promise<string | undefined> {
  const { REPLICATION_FACTOR: replicas, MIN_INSYNC_REPLICAS: minInSync } = config;
  if (partitions.length === 0)
    return `the topic ${topic} does not exist: create it with «bun run topics», or name another with its variable`;
  const weak = partitions.filter((partition) => partition.replicas < replicas);
  if (weak.length > 0)
    return `the topic ${topic} has partitions with ${weak[0]?.replicas} of ${replicas} replicas: reassign them, or set REPLICATION_FACTOR`;
  // 1 is the least that Kafka allows: there is nothing to ask for.
  if (minInSync === 1) return undefined;
  const configs = await describeTopicConfigs(clientOptions(config), topic, timeoutMs);
  const actual = Number(configs.get("min.insync.replicas"));
  if (actual >= minInSync) return undefined;
  return `the topic ${topic} has min.insync.replicas=${actual}, less than ${minInSync}: raise it, or set MIN_INSYNC_REPLICAS`;
}
