/** What is called of C through Bun's FFI, for node-rdkafka does not bind it: librdkafka's API (rdkafka.h), native/*.cc, pipes. */
import { dlopen, FFIType, type Pointer } from "bun:ffi";
import { library } from "./addon.ts";

const { ptr, i32, u64, bool, cstring, void: nothing } = FFIType;

export const rdkafka = dlopen(library, {
  coffee_orders_client: { args: [ptr], returns: ptr },
  coffee_orders_send: { args: [ptr, ptr, ptr, ptr, ptr, ptr, u64, u64, bool, ptr], returns: nothing },
  coffee_orders_collect_reports: { args: [ptr], returns: nothing },
  coffee_orders_poll_reports: { args: [ptr, ptr, u64], returns: u64 },
  coffee_orders_forget_reports: { args: [ptr], returns: nothing },
  coffee_orders_fetched: { args: [ptr, u64, ptr], returns: ptr },
  coffee_orders_unpack: { args: [ptr, ptr], returns: nothing },
  coffee_orders_assign: { args: [ptr, ptr, ptr], returns: ptr },
  coffee_orders_unassign: { args: [ptr, ptr, ptr], returns: ptr },
  coffee_orders_rewind: { args: [ptr, ptr, ptr, i32], returns: ptr },
  coffee_orders_commit: { args: [ptr, ptr, ptr, ptr], returns: i32 },
  coffee_orders_ask_committed: { args: [ptr, ptr, ptr, ptr, ptr], returns: nothing },
  coffee_orders_committed: { args: [ptr], returns: ptr },
  coffee_orders_topic_id: { args: [ptr, ptr], returns: ptr },
  coffee_orders_free: { args: [ptr], returns: nothing },
  rd_kafka_err2str: { args: [i32], returns: cstring },
  rd_kafka_error_code: { args: [ptr], returns: i32 },
  rd_kafka_error_is_fatal: { args: [ptr], returns: i32 },
  rd_kafka_error_string: { args: [ptr], returns: cstring },
  rd_kafka_error_destroy: { args: [ptr], returns: nothing },
  rd_kafka_topic_new: { args: [ptr, ptr, ptr], returns: ptr },
  rd_kafka_topic_destroy: { args: [ptr], returns: nothing },
  rd_kafka_queue_new: { args: [ptr], returns: ptr },
  rd_kafka_queue_get_main: { args: [ptr], returns: ptr },
  rd_kafka_queue_get_consumer: { args: [ptr], returns: ptr },
  rd_kafka_queue_io_event_enable: { args: [ptr, i32, ptr, u64], returns: nothing },
  rd_kafka_queue_poll: { args: [ptr, i32], returns: ptr },
  rd_kafka_queue_destroy: { args: [ptr], returns: nothing },
  rd_kafka_event_error: { args: [ptr], returns: i32 },
  rd_kafka_event_error_string: { args: [ptr], returns: cstring },
  rd_kafka_event_destroy: { args: [ptr], returns: nothing },
  rd_kafka_ConfigResource_new: { args: [i32, ptr], returns: ptr },
  rd_kafka_ConfigResource_destroy: { args: [ptr], returns: nothing },
  rd_kafka_ConfigResource_error: { args: [ptr], returns: i32 },
  rd_kafka_ConfigResource_error_string: { args: [ptr], returns: cstring },
  rd_kafka_ConfigResource_configs: { args: [ptr, ptr], returns: ptr },
  rd_kafka_DescribeConfigs: { args: [ptr, ptr, u64, ptr, ptr], returns: nothing },
  rd_kafka_event_DescribeConfigs_result: { args: [ptr], returns: ptr },
  rd_kafka_DescribeConfigs_result_resources: { args: [ptr, ptr], returns: ptr },
  rd_kafka_AdminOptions_new: { args: [ptr, i32], returns: ptr },
  rd_kafka_AdminOptions_set_include_authorized_operations: { args: [ptr, i32], returns: ptr },
  rd_kafka_AdminOptions_set_broker: { args: [ptr, i32, ptr, u64], returns: i32 },
  rd_kafka_AdminOptions_destroy: { args: [ptr], returns: nothing },
  rd_kafka_TopicCollection_of_topic_names: { args: [ptr, u64], returns: ptr },
  rd_kafka_TopicCollection_destroy: { args: [ptr], returns: nothing },
  rd_kafka_DescribeTopics: { args: [ptr, ptr, ptr, ptr], returns: nothing },
  rd_kafka_event_DescribeTopics_result: { args: [ptr], returns: ptr },
  rd_kafka_DescribeTopics_result_topics: { args: [ptr, ptr], returns: ptr },
  rd_kafka_TopicDescription_error: { args: [ptr], returns: ptr },
  rd_kafka_TopicDescription_authorized_operations: { args: [ptr, ptr], returns: ptr },
  rd_kafka_ConfigEntry_name: { args: [ptr], returns: cstring },
  rd_kafka_ConfigEntry_value: { args: [ptr], returns: ptr },
}).symbols;

export const libc = dlopen("libc.so.6", {
  pipe2: { args: [ptr, i32], returns: i32 },
  close: { args: [i32], returns: i32 },
}).symbols;

/** An address as bun:ffi gives it, of something that must be there. */
export function present(address: Pointer | bigint | null, what: string): Pointer {
  if (address === null) throw new Error(`librdkafka gave no ${what}`);
  return address as Pointer;
}

export const cText = (text: string): Buffer => Buffer.from(`${text}\0`);

/** librdkafka's words for an error. @param code of type rd_kafka_resp_err_t */
export const errorText = (code: number): string => String(rdkafka.rd_kafka_err2str(code));
