/**
 * «On at least two replicas, until it is handled» rests on how the topics are made: they are created with all of it
 * explicit, and no tier runs on a topic that is weaker than demanded.
 */

import type { KafkaConfig } from "../config.ts";
import Kafka from "./addon.ts";
import { clientOptions } from "./client.ts";
import { describeTopicConfigs } from "./describe-configs.ts";
import { batchBytes, maxRecordBytes, type PartitionState } from "./producer.ts";

const timeoutMs = 10_000;
const alreadyExists = 36;
/** Longer batches than that would meet a broker's socket.request.max.bytes, and fill the client's queue. */
const mostBytes = 67_108_864;
const weekMs = 604_800_000;
/** Id, time, key and headers of an order's record, the request's trace context among them, come to less than this. */
const aroundOrderBytes = 2_048;

/** A setting that a topic must have: with what it is created, what is as good, and what else to do. */
type Demand = { name: string; created: string; holds: (actual: string) => boolean; otherwise: string };

/** Longest batch that is sent to a topic. Of orders one goes alone, or several within Kafka's batch.size. */
export const longestBatchBytes = (config: KafkaConfig, topic: string): number =>
  topic === config.DEAD_TOPIC
    ? maxRecordBytes
    : Math.max(batchBytes, config.MAX_BODY_BYTES + aroundOrderBytes);

/** Source of each setting's meaning: Kafka's documentation, «Topic Configs». */
function demandsOf(config: KafkaConfig, topic: string): Demand[] {
  const { MIN_INSYNC_REPLICAS: inSync, MIN_RETENTION_MS: retentionMs } = config;
  const longest = longestBatchBytes(config, topic);
  return [
    {
      name: "min.insync.replicas",
      created: String(inSync),
      holds: (actual) => Number(actual) >= inSync,
      otherwise: `raise it to ${inSync}, or set MIN_INSYNC_REPLICAS`,
    },
    {
      // A replica that lacks acknowledged records must never become the leader.
      name: "unclean.leader.election.enable",
      created: "false",
      holds: (actual) => actual === "false",
      otherwise: "set it to false",
    },
    {
      // It bounds a batch, and a broker's refusal would come too late for «refused».
      name: "max.message.bytes",
      // A broker's default, unless that is too little.
      created: String(Math.max(longest, 1_048_588)),
      holds: (actual) => Number(actual) >= longest,
      otherwise: `raise it to ${longest}`,
    },
    {
      // Compaction keeps the last record of a key: of two orders under one id the first counts, and a dead letter of
      // a record that had no key could not be written.
      name: "cleanup.policy",
      created: "delete",
      holds: (actual) => !actual.includes("compact"),
      otherwise: "set it to delete",
    },
    {
      name: "retention.ms",
      created: String(Math.max(weekMs, retentionMs)),
      holds: (actual) => actual === "-1" || Number(actual) >= retentionMs,
      otherwise: `raise it to ${retentionMs} or -1, or set MIN_RETENTION_MS`,
    },
    {
      // A bound by size deletes what nobody has handled yet, the sooner the more comes in.
      name: "retention.bytes",
      created: "-1",
      holds: (actual) => actual === "-1",
      otherwise: "set it to -1",
    },
  ];
}

/**
 * The longest batch that a topic takes, how long it keeps a segment after its last record, and for how long it writes to
 * one. Where a topic's configuration is not asked for,
 * the least that would be demanded, and for ever.
 * @throws Error when the brokers can't be asked
 */
export async function topicLimits(config: KafkaConfig, topic: string) {
  const actual: Map<string, string> =
    config.MIN_INSYNC_REPLICAS > 1
      ? await describeTopicConfigs(clientOptions(config), topic, timeoutMs)
      : new Map();
  const limit = Number(actual.get("max.message.bytes") ?? longestBatchBytes(config, topic));
  const retentionMs = Number(actual.get("retention.ms") ?? -1);
  return {
    maxBytes: Math.min(limit, mostBytes),
    retentionMs: retentionMs < 0 ? Infinity : retentionMs,
    segmentMs: Number(actual.get("segment.ms") ?? 0),
  };
}

/** Creates a topic as configured; one that exists is left as it is. @throws Error with the brokers' words. */
export function createTopic(config: KafkaConfig, topic: string): Promise<"created" | "existing"> {
  const admin = Kafka.AdminClient.create(clientOptions(config) as Kafka.GlobalConfig);
  return new Promise<"created" | "existing">((resolve, reject) => {
    const spec = {
      topic,
      num_partitions: config.TOPIC_PARTITIONS,
      replication_factor: config.REPLICATION_FACTOR,
      config: Object.fromEntries(demandsOf(config, topic).map(({ name, created }) => [name, created])),
    };
    admin.createTopic(spec as unknown as Kafka.NewTopic, timeoutMs, (error) => {
      if (!error) resolve("created");
      else if (error.code === alreadyExists) resolve("existing");
      else reject(error);
    });
  }).finally(() => admin.disconnect());
}

/**
 * Says in words why a topic can't be trusted with accepted orders, each fault with what to do; undefined when it can.
 * @param partitions the topic's partitions as the brokers' metadata has them
 * @throws Error when the brokers can't be asked
 */
export async function topicFault(
  config: KafkaConfig,
  topic: string,
  partitions: PartitionState[],
): Promise<string | undefined> {
  const { REPLICATION_FACTOR: replicas } = config;
  if (partitions.length === 0)
    return `the topic ${topic} does not exist: create it with «bun run topics», or name another with its variable`;
  const faults: string[] = [];
  const weak = partitions.filter((partition) => partition.replicas < replicas);
  if (weak.length > 0)
    faults.push(
      `${weak.length} partitions with ${weak[0]?.replicas} of ${replicas} replicas: reassign them, or set REPLICATION_FACTOR`,
    );
  // 1 is the least that Kafka allows: there is nothing to ask for.
  if (config.MIN_INSYNC_REPLICAS > 1) {
    const actual = await describeTopicConfigs(clientOptions(config), topic, timeoutMs);
    for (const { name, holds, otherwise } of demandsOf(config, topic)) {
      const value = actual.get(name);
      if (value === undefined || !holds(value)) faults.push(`${name}=${value ?? "(not told)"}: ${otherwise}`);
    }
  }
  return faults.length > 0 ? `the topic ${topic} is too weak: it has ${faults.join("; ")}` : undefined;
}
