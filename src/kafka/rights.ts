/** Whether a client may do with a topic what it is there for, as the brokers tell it (KIP-430): nothing is read or written for it. */
import { type Pointer, ptr, read } from "bun:ffi";
import type { KafkaConfig } from "../config.ts";
import type Kafka from "./addon.ts";
import type { Asking } from "./admin.ts";
import { cText, present, rdkafka } from "./ffi.ts";

/** Of type rd_kafka_AclOperation_t. */
const operations = { READ: 3, WRITE: 4, DESCRIBE_CONFIGS: 10 };
export type Right = "READ" | "WRITE";
/** RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED. */
const describeTopics = 19;
const denied = 29;

/**
 * Says in words which right is missing; undefined where none is, or the brokers do not tell.
 * @throws Error when none answers in time
 */
export async function missingRight(
  of: Pick<Kafka.Producer | Kafka.KafkaConsumer, "getMetadata">,
  { ask }: Asking,
  config: Pick<KafkaConfig, "MIN_INSYNC_REPLICAS">,
  topic: string,
  right: Right,
  timeoutMs: number,
): Promise<string | undefined> {
  // Where the topic is looked at (./topics.ts).
  const needed = config.MIN_INSYNC_REPLICAS > 1 ? ([right, "DESCRIBE_CONFIGS"] as const) : [right];
  // Any broker knows, but unless one is named the controller is asked, who may be the one that is gone.
  const { promise, resolve, reject } = Promise.withResolvers<Kafka.Metadata>();
  of.getMetadata({ topic, timeout: timeoutMs }, (error, told) => (error ? reject(error) : resolve(told)));
  const { orig_broker_id: broker } = await promise;
  const inWords = (name: string) => `no right to ${name} the topic ${topic}: grant it to this client's user`;
  return ask(timeoutMs, {
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
  });
}
