/**
 * Reads a topic's configuration from the brokers (DescribeConfigs, KIP-133), which node-rdkafka does not bind.
 * The addon carries librdkafka's whole C API, so the call is made there, through Bun's FFI; no second Kafka client
 * is needed, and the same security options apply. Source of each call: librdkafka's rdkafka.h.
 */

import { CString, dlopen, type Pointer, ptr, read } from "bun:ffi";
import { createRequire } from "node:module";

const resourceTopic = 2;
const librdkafkaProducer = 0;
const pollMs = 20;

const open = () =>
  dlopen(createRequire(import.meta.url).resolve("node-rdkafka/build/Release/node-librdkafka.node"), {
    rd_kafka_conf_new: { args: [], returns: "ptr" },
    rd_kafka_conf_destroy: { args: ["ptr"], returns: "void" },
    rd_kafka_conf_set: { args: ["ptr", "cstring", "cstring", "ptr", "u64"], returns: "i32" },
    rd_kafka_new: { args: ["i32", "ptr", "ptr", "u64"], returns: "ptr" },
    rd_kafka_destroy_flags: { args: ["ptr", "i32"], returns: "void" },
    rd_kafka_queue_new: { args: ["ptr"], returns: "ptr" },
    rd_kafka_queue_destroy: { args: ["ptr"], returns: "void" },
    rd_kafka_queue_poll: { args: ["ptr", "i32"], returns: "ptr" },
    rd_kafka_ConfigResource_new: { args: ["i32", "cstring"], returns: "ptr" },
    rd_kafka_ConfigResource_destroy: { args: ["ptr"], returns: "void" },
    rd_kafka_DescribeConfigs: { args: ["ptr", "ptr", "u64", "ptr", "ptr"], returns: "void" },
    rd_kafka_event_error: { args: ["ptr"], returns: "i32" },
    rd_kafka_event_error_string: { args: ["ptr"], returns: "cstring" },
    rd_kafka_event_DescribeConfigs_result: { args: ["ptr"], returns: "ptr" },
    rd_kafka_DescribeConfigs_result_resources: { args: ["ptr", "ptr"], returns: "ptr" },
    rd_kafka_ConfigResource_error: { args: ["ptr"], returns: "i32" },
    rd_kafka_ConfigResource_error_string: { args: ["ptr"], returns: "cstring" },
    rd_kafka_ConfigResource_configs: { args: ["ptr", "ptr"], returns: "ptr" },
    rd_kafka_ConfigEntry_name: { args: ["ptr"], returns: "cstring" },
    rd_kafka_ConfigEntry_value: { args: ["ptr"], returns: "ptr" },
    rd_kafka_event_destroy: { args: ["ptr"], returns: "void" },
  });

const cstring = (text: string) => Buffer.from(`${text}\0`);
type Address = Pointer | bigint | null;
const pointer = (value: Address, what: string): Pointer => {
  if (value === null) throw new Error(`librdkafka gave no ${what}`);
  return value as Pointer;
};

/**
 * A topic's configuration by name, e.g. `min.insync.replicas` → "2".
 * @throws Error with the brokers' words when they refuse, or when none answers in time.
 */
export async function describeTopicConfigs(
  options: Record<string, string | number | boolean>,
  topic: string,
  timeoutMs: number,
): Promise<Map<string, string>> {
  const { symbols: api } = open();
  const message = Buffer.alloc(512);
  const text = () => message.toString("utf8", 0, message.indexOf(0));

  const conf = pointer(api.rd_kafka_conf_new(), "configuration");
  for (const [name, value] of Object.entries(options))
    if (
      api.rd_kafka_conf_set(
        conf,
        ptr(cstring(name)),
        ptr(cstring(String(value))),
        ptr(message),
        message.length,
      )
    ) {
      api.rd_kafka_conf_destroy(conf);
      throw new Error(text());
    }
  const client: Address = api.rd_kafka_new(librdkafkaProducer, conf, ptr(message), BigInt(message.length));
  if (client === null) {
    api.rd_kafka_conf_destroy(conf);
    throw new Error(text());
  }
  const queue = pointer(api.rd_kafka_queue_new(client), "queue");
  const resource = pointer(api.rd_kafka_ConfigResource_new(resourceTopic, ptr(cstring(topic))), "resource");
  try {
    const resources = new BigUint64Array([BigInt(resource)]);
    api.rd_kafka_DescribeConfigs(client, ptr(resources), 1, null, queue);
    const deadline = Date.now() + timeoutMs;
    let event = api.rd_kafka_queue_poll(queue, 0);
    while (event === null && Date.now() < deadline) {
      await Bun.sleep(pollMs);
      event = api.rd_kafka_queue_poll(queue, 0);
    }
    if (event === null) throw new Error(`no broker described the topic ${topic} within ${timeoutMs} ms`);
    try {
      return entriesOf(api, pointer(event, "event"));
    } finally {
      api.rd_kafka_event_destroy(event);
    }
  } finally {
    api.rd_kafka_ConfigResource_destroy(resource);
    api.rd_kafka_queue_destroy(queue);
    api.rd_kafka_destroy_flags(client, 0);
  }
}

function entriesOf(api: ReturnType<typeof open>["symbols"], event: Pointer): Map<string, string> {
  if (api.rd_kafka_event_error(event)) throw new Error(String(api.rd_kafka_event_error_string(event)));
  const count = new BigUint64Array(1);
  const result = pointer(api.rd_kafka_event_DescribeConfigs_result(event), "result");
  const described = pointer(api.rd_kafka_DescribeConfigs_result_resources(result, ptr(count)), "resource");
  const resource = read.ptr(described) as Pointer;
  if (api.rd_kafka_ConfigResource_error(resource))
    throw new Error(String(api.rd_kafka_ConfigResource_error_string(resource)));
  const entries = pointer(api.rd_kafka_ConfigResource_configs(resource, ptr(count)), "entries");
  const found = new Map<string, string>();
  for (let index = 0; index < Number(count[0]); index += 1) {
    const entry = read.ptr(entries, index * 8) as Pointer;
    const value = api.rd_kafka_ConfigEntry_value(entry);
    if (value !== null)
      found.set(String(api.rd_kafka_ConfigEntry_name(entry)), String(new CString(value as Pointer)));
  }
  return found;
}
