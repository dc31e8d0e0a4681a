/** No tier runs on a topic that is weaker than the promise «on at least two replicas, until it is handled» demands. */
import { CString, type Pointer, ptr, read } from "bun:ffi";
import type { KafkaConfig } from "../config.ts";
import type { Exchange } from "./admin.ts";
import { cText, present, rdkafka } from "./ffi.ts";
import { batchBytes, type KafkaProducer, maxRecordBytes, openProducer } from "./producer.ts";

/** A thousand years: whoever sets the largest number there is means no bound, and no database's time goes as far. */
const foreverMs = 31_557_600_000_000;
/** Longer batches would meet a broker's socket.request.max.bytes, and fill the client's queue. */
const mostBytes = 67_108_864;
/** Id, time, key and headers of an order's record, the request's trace context among them, come to less than this. */
const aroundOrderBytes = 2_048;
/** From a record's timestamp to its delivery: its longest time limit, and clocks that differ. */
const latestMs = 360_000;
/** Of type rd_kafka_AclOperation_t. */
const operations = { READ: 3, WRITE: 4, DESCRIBE_CONFIGS: 10 };
export type Right = "READ" | "WRITE";
/** RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED. */
const [describeTopics, denied] = [19, 29];

/** Longest batch that is sent to a topic. Of orders one goes alone, or several within Kafka's batch.size. */
export const longestBatchBytes = ({ DEAD_TOPIC, MAX_BODY_BYTES }: KafkaConfig, topic: string): number =>
  topic === DEAD_TOPIC ? maxRecordBytes : Math.max(batchBytes, MAX_BODY_BYTES + aroundOrderBytes);

/** A setting that a topic must have, and what else to do. -1 is no bound; `untold`: it is so where brokers don't know it. */
type Demand = [name: string, holds: (actual?: string) => boolean, otherwise: string];
function atLeast(name: string, least: number, or = "", untold?: string): Demand {
  return [name, (is = untold) => is === "-1" || Number(is) >= least, `raise it to ${least}${or}`];
}
const always = (name: string, value: string): Demand => [name, (is) => is === value, `set it to ${value}`];

/** Source of each setting's meaning: Kafka's documentation, «Topic Configs». */
const demandsOf = (config: KafkaConfig, topic: string): Demand[] => [
  atLeast("min.insync.replicas", config.MIN_INSYNC_REPLICAS, ", or set MIN_INSYNC_REPLICAS"),
  // A replica that lacks acknowledged records must never become the leader.
  always("unclean.leader.election.enable", "false"),
  // It bounds a batch, and a broker's refusal would come too late for «refused».
  atLeast("max.message.bytes", longestBatchBytes(config, topic)),
  // Compaction keeps the last record of a key: of two orders under one id the first counts, and some letters have no key.
  ["cleanup.policy", (is) => is?.includes("compact") === false, "set it to delete"],
  atLeast("retention.ms", config.MIN_RETENTION_MS, " or -1, or set MIN_RETENTION_MS"),
  // A bound by size deletes what nobody has handled yet, the sooner the more comes in.
  always("retention.bytes", "-1"),
  // Or records are refused that waited for their delivery. The last is unknown from 4.0 on, the others before 3.6.
  ...["before", "after", "difference"].map((side) =>
    atLeast(`message.timestamp.${side}.max.ms`, latestMs, "", "-1"),
  ),
];

/**
 * What the brokers tell of a topic. `fault`: why it can't be trusted with accepted orders, and what to do; undefined when it can.
 * `maxBytes`: the longest batch that it takes; `inSync`: replicas that must have it. A segment is kept for `retentionMs` after its
 * last record, and written to for `segmentMs`. Where one replica is enough they are not asked for: the least, and for ever.
 * @param asked.right one that the client must have there, or that is the fault. @throws Error when the brokers can't be asked
 */
export async function askOfTopic(
  config: KafkaConfig,
  topic: string,
  client: Pick<KafkaProducer, "ask" | "metadata">,
  { right, timeoutMs = 10_000 }: { right?: Right | undefined; timeoutMs?: number } = {},
) {
  const { REPLICATION_FACTOR: replicas, MIN_INSYNC_REPLICAS: inSync } = config;
  const { partitions, orig_broker_id: broker } = await client.metadata(topic, timeoutMs);
  const denial = right && (await client.ask(timeoutMs, missingRight(config, topic, right, broker)));
  const isAsked = !denial && inSync > 1 && partitions.length > 0;
  const actual = isAsked ? await client.ask(timeoutMs, settingsOf(topic)) : undefined;
  const weak = partitions.filter((partition) => partition.replicas.length < replicas);
  const tooFew = `${weak.length} partitions with ${weak[0]?.replicas.length} of ${replicas} replicas: reassign them, or set REPLICATION_FACTOR`;
  const faults = weak.length > 0 ? [tooFew] : [];
  for (const [name, holds, otherwise] of actual ? demandsOf(config, topic) : []) {
    const value = actual?.get(name);
    if (!holds(value)) faults.push(`${name}=${value ?? "(not told)"}: ${otherwise}`);
  }
  const tooWeak = faults[0] && `the topic ${topic} is too weak: it has ${faults.join("; ")}`;
  const absent = `the topic ${topic} does not exist: create it with «bun run topics», or name another with its variable`;
  const maxBytes = Number(actual?.get("max.message.bytes") ?? longestBatchBytes(config, topic));
  const retentionMs = Number(actual?.get("retention.ms") ?? -1);
  return {
    partitions,
    fault: denial ?? (partitions.length === 0 ? absent : tooWeak),
    maxBytes: Math.min(maxBytes, mostBytes),
    inSync: Math.max(inSync, Number(actual?.get("min.insync.replicas") ?? 0)),
    retentionMs: retentionMs < 0 || retentionMs > foreverMs ? Infinity : retentionMs,
    segmentMs: Number(actual?.get("segment.ms") ?? 0),
  };
}

/** The same by a client of its own. @throws Error as `askOfTopic`; when no broker can be reached */
export async function askOnce(config: KafkaConfig, topic: string, right?: Right) {
  const client = await openProducer(config, { deliveryTimeoutMs: 1_000 });
  try {
    return await askOfTopic(config, topic, client, { right });
  } finally {
    await client.close(0);
  }
}

/** A topic's configuration by name (DescribeConfigs, KIP-133). 2: RD_KAFKA_RESOURCE_TOPIC. */
const settingsOf = (topic: string): Exchange<Map<string, string>> => ({
  send(queue, client) {
    const resource = present(rdkafka.rd_kafka_ConfigResource_new(2, cText(topic)), "resource");
    rdkafka.rd_kafka_DescribeConfigs(client, new BigUint64Array([BigInt(resource)]), 1, null, queue);
    rdkafka.rd_kafka_ConfigResource_destroy(resource);
  },
  read(event) {
    const count = new BigUint64Array(1);
    const result = present(rdkafka.rd_kafka_event_DescribeConfigs_result(event), "result");
    const described = present(rdkafka.rd_kafka_DescribeConfigs_result_resources(result, count), "resource");
    const resource = read.ptr(described) as Pointer;
    if (rdkafka.rd_kafka_ConfigResource_error(resource))
      throw new Error(
        `the configuration of a topic is not told (DESCRIBE_CONFIGS): ${rdkafka.rd_kafka_ConfigResource_error_string(resource)}`,
      );
    const entries = present(rdkafka.rd_kafka_ConfigResource_configs(resource, count), "entries");
    const found = new Map<string, string>();
    for (let index = 0; index < Number(count[0]); index += 1) {
      const entry = read.ptr(entries, index * 8) as Pointer;
      const value = rdkafka.rd_kafka_ConfigEntry_value(entry);
      if (value !== null)
        found.set(String(rdkafka.rd_kafka_ConfigEntry_name(entry)), String(new CString(value as Pointer)));
    }
    return found;
  },
});

/** Which right is missing, in words, as brokers tell it (KIP-430); nothing is written for it. */
export function missingRight(
  config: KafkaConfig,
  topic: string,
  right: Right,
  // Any knows, but unless one is named the controller is asked, who may be the one that is gone.
  broker: number,
): Exchange<string | undefined> {
  const needed = config.MIN_INSYNC_REPLICAS > 1 ? ([right, "DESCRIBE_CONFIGS"] as const) : [right];
  const inWords = (name: string) => `no right to ${name} the topic ${topic}: grant it to this client's user`;
  return {
    send(queue, client) {
      const name = cText(topic);
      const names = new BigUint64Array([BigInt(ptr(name))]);
      const topics = present(rdkafka.rd_kafka_TopicCollection_of_topic_names(names, 1), "topics");
      const options = present(rdkafka.rd_kafka_AdminOptions_new(client, describeTopics), "options");
      rdkafka.rd_kafka_AdminOptions_set_include_authorized_operations(options, 1);
      rdkafka.rd_kafka_AdminOptions_set_broker(options, broker, null, 0);
      rdkafka.rd_kafka_DescribeTopics(client, topics, options, queue);
      rdkafka.rd_kafka_AdminOptions_destroy(options);
      rdkafka.rd_kafka_TopicCollection_destroy(topics);
    },
    read(event) {
      const count = new BigUint64Array(1);
      const result = present(rdkafka.rd_kafka_event_DescribeTopics_result(event), "result");
      const described = present(rdkafka.rd_kafka_DescribeTopics_result_topics(result, count), "topic");
      const description = read.ptr(described) as Pointer;
      const code = rdkafka.rd_kafka_error_code(rdkafka.rd_kafka_TopicDescription_error(description));
      if (code !== 0) return code === denied ? inWords(`${right} or DESCRIBE`) : undefined;
      const granted = rdkafka.rd_kafka_TopicDescription_authorized_operations(description, count) as Pointer;
      const told = Array.from({ length: granted ? Number(count[0]) : 0 }, (_, n) => read.i32(granted, 4 * n));
      const missing = needed.find((one) => told.length > 0 && !told.includes(operations[one]));
      return missing && inWords(missing);
    },
  };
}
