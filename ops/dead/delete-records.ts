/** Deletes the beginnings of partitions (DeleteRecords, KIP-107), through the C API: see src/kafka/ffi.ts. */
import { CString, dlopen, FFIType, type Pointer, read } from "bun:ffi";
import type { KafkaConfig } from "../../src/config.ts";
import Kafka, { library } from "../../src/kafka/addon.ts";
import { openAsking } from "../../src/kafka/admin.ts";
import { clientOptions, connected, disconnect } from "../../src/kafka/client.ts";
import { cText, errorText, present } from "../../src/kafka/ffi.ts";

const { ptr: pointer, i32, i64, u64, void: nothing } = FFIType;

const open = () =>
  dlopen(library, {
    rd_kafka_topic_partition_list_new: { args: [i32], returns: pointer },
    rd_kafka_topic_partition_list_add: { args: [pointer, pointer, i32], returns: pointer },
    rd_kafka_topic_partition_list_set_offset: { args: [pointer, pointer, i32, i64], returns: i32 },
    rd_kafka_topic_partition_list_destroy: { args: [pointer], returns: nothing },
    rd_kafka_DeleteRecords_new: { args: [pointer], returns: pointer },
    rd_kafka_DeleteRecords_destroy: { args: [pointer], returns: nothing },
    rd_kafka_DeleteRecords: { args: [pointer, pointer, u64, pointer, pointer], returns: nothing },
    rd_kafka_event_DeleteRecords_result: { args: [pointer], returns: pointer },
    rd_kafka_DeleteRecords_result_offsets: { args: [pointer], returns: pointer },
  }).symbols;

/** Layout of rd_kafka_topic_partition_list_t and of its elements on 64-bit machines (rdkafka.h). */
const listLayout = { count: 0, elements: 8 };
const elementLayout = { topic: 0, partition: 8, error: 48, bytes: 64 };

/**
 * Deletes every record below an offset, for each partition given.
 * @throws Error with the brokers' words when one of them refuses, or none answers in time; others may be done then
 */
export async function deleteRecords(
  config: KafkaConfig,
  topic: string,
  ends: ReadonlyMap<number, number>,
  timeoutMs: number,
): Promise<void> {
  const api = open();
  const list = present(api.rd_kafka_topic_partition_list_new(ends.size), "list");
  for (const [partition, end] of ends) {
    api.rd_kafka_topic_partition_list_add(list, cText(topic), partition);
    api.rd_kafka_topic_partition_list_set_offset(list, cText(topic), partition, BigInt(end));
  }
  // Takes a copy of the list.
  const order = present(api.rd_kafka_DeleteRecords_new(list), "request");
  api.rd_kafka_topic_partition_list_destroy(list);
  try {
    const client = new Kafka.Producer(clientOptions(config), {});
    const asking = await connected(client, { ...config, ORDERS_TOPIC: topic }, openAsking);
    const faults = await asking
      .ask(timeoutMs, {
        send: (queue, handle) =>
          api.rd_kafka_DeleteRecords(handle, new BigUint64Array([BigInt(order)]), 1, null, queue),
        read: (event) => faultsIn(api, event),
      })
      .finally(() => disconnect(client));
    if (faults.length > 0) throw new Error(faults.join("; "));
  } finally {
    api.rd_kafka_DeleteRecords_destroy(order);
  }
}

function faultsIn(api: ReturnType<typeof open>, event: Pointer): string[] {
  const result = present(api.rd_kafka_event_DeleteRecords_result(event), "result");
  const list = present(api.rd_kafka_DeleteRecords_result_offsets(result), "offsets");
  const elements = read.ptr(list, listLayout.elements) as Pointer;
  return Array.from({ length: read.i32(list, listLayout.count) }, (_, index) => {
    const base = index * elementLayout.bytes;
    const error = read.i32(elements, base + elementLayout.error);
    if (error === 0) return "";
    const topic = new CString(read.ptr(elements, base + elementLayout.topic) as Pointer);
    const partition = read.i32(elements, base + elementLayout.partition);
    return `${topic} ${partition}: ${errorText(error)}`;
  }).filter(Boolean);
}
