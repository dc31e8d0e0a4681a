/** Reads a topic's configuration from the brokers (DescribeConfigs, KIP-133), through the C API: see admin.ts. */
import { CString, dlopen, FFIType, type Pointer, read } from "bun:ffi";
import { library } from "./addon.ts";
import { cText, present, request } from "./admin.ts";

const resourceTopic = 2;
const pointerBytes = 8;

const { ptr: pointer, i32, u64, cstring, void: nothing } = FFIType;

const open = () =>
  dlopen(library, {
    rd_kafka_ConfigResource_new: { args: [i32, pointer], returns: pointer },
    rd_kafka_ConfigResource_destroy: { args: [pointer], returns: nothing },
    rd_kafka_DescribeConfigs: { args: [pointer, pointer, u64, pointer, pointer], returns: nothing },
    rd_kafka_event_DescribeConfigs_result: { args: [pointer], returns: pointer },
    rd_kafka_DescribeConfigs_result_resources: { args: [pointer, pointer], returns: pointer },
    rd_kafka_ConfigResource_error: { args: [pointer], returns: i32 },
    rd_kafka_ConfigResource_error_string: { args: [pointer], returns: cstring },
    rd_kafka_ConfigResource_configs: { args: [pointer, pointer], returns: pointer },
    rd_kafka_ConfigEntry_name: { args: [pointer], returns: cstring },
    rd_kafka_ConfigEntry_value: { args: [pointer], returns: pointer },
  }).symbols;
let opened: ReturnType<typeof open> | undefined;

/**
 * A topic's configuration by name, e.g. `min.insync.replicas` → "2".
 * @throws Error with the brokers' words when they refuse, or when none answers in time
 */
export async function describeTopicConfigs(
  options: Record<string, string | number | boolean>,
  topic: string,
  timeoutMs: number,
): Promise<Map<string, string>> {
  opened ??= open();
  const api = opened;
  const resource = present(api.rd_kafka_ConfigResource_new(resourceTopic, cText(topic)), "resource");
  try {
    return await request(options, timeoutMs, {
      send: (client, queue) =>
        api.rd_kafka_DescribeConfigs(client, new BigUint64Array([BigInt(resource)]), 1, null, queue),
      read: (event) => entriesOf(api, event),
    });
  } finally {
    api.rd_kafka_ConfigResource_destroy(resource);
  }
}

function entriesOf(api: ReturnType<typeof open>, event: Pointer): Map<string, string> {
  const count = new BigUint64Array(1);
  const result = present(api.rd_kafka_event_DescribeConfigs_result(event), "result");
  const described = present(api.rd_kafka_DescribeConfigs_result_resources(result, count), "resource");
  const resource = read.ptr(described) as Pointer;
  if (api.rd_kafka_ConfigResource_error(resource))
    throw new Error(String(api.rd_kafka_ConfigResource_error_string(resource)));
  const entries = present(api.rd_kafka_ConfigResource_configs(resource, count), "entries");
  const found = new Map<string, string>();
  for (let index = 0; index < Number(count[0]); index += 1) {
    const entry = read.ptr(entries, index * pointerBytes) as Pointer;
    const value = api.rd_kafka_ConfigEntry_value(entry);
    if (value !== null)
      found.set(String(api.rd_kafka_ConfigEntry_name(entry)), String(new CString(value as Pointer)));
  }
  return found;
}
