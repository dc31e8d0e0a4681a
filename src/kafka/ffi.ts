/**
 * All that is called of C: librdkafka's API (rdkafka.h) and the project's own functions (native/*.cc), through Bun's FFI.
 * The addon exports both, so that a client of node-rdkafka's can do what that does not bind.
 */
import { dlopen, FFIType, type Pointer } from "bun:ffi";
import { library } from "./addon.ts";

const { ptr: pointer, i32, u64, bool, cstring, void: nothing } = FFIType;

export const rdkafka = dlopen(library, {
  coffee_orders_client: { args: [pointer], returns: pointer },
  coffee_orders_send: {
    args: [pointer, pointer, pointer, pointer, pointer, pointer, u64, u64, bool, pointer],
    returns: nothing,
  },
  coffee_orders_collect_reports: { args: [pointer], returns: nothing },
  coffee_orders_poll_reports: { args: [pointer, pointer, u64], returns: u64 },
  coffee_orders_forget_reports: { args: [pointer], returns: nothing },
  coffee_orders_fetched: { args: [pointer, u64, pointer], returns: pointer },
  coffee_orders_unpack: { args: [pointer, pointer], returns: nothing },
  coffee_orders_assign: { args: [pointer, pointer, pointer], returns: pointer },
  coffee_orders_unassign: { args: [pointer, pointer, pointer], returns: pointer },
  coffee_orders_rewind: { args: [pointer, pointer, pointer, i32], returns: pointer },
  coffee_orders_commit: { args: [pointer, pointer, pointer, pointer], returns: i32 },
  coffee_orders_ask_committed: { args: [pointer, pointer, pointer, pointer, pointer], returns: nothing },
  coffee_orders_committed: { args: [pointer], returns: pointer },
  coffee_orders_topic_id: { args: [pointer, pointer], returns: pointer },
  coffee_orders_free: { args: [pointer], returns: nothing },
  rd_kafka_err2str: { args: [i32], returns: cstring },
  rd_kafka_error_code: { args: [pointer], returns: i32 },
  rd_kafka_error_is_fatal: { args: [pointer], returns: i32 },
  rd_kafka_error_string: { args: [pointer], returns: cstring },
  rd_kafka_error_destroy: { args: [pointer], returns: nothing },
  rd_kafka_topic_new: { args: [pointer, pointer, pointer], returns: pointer },
  rd_kafka_topic_destroy: { args: [pointer], returns: nothing },
  rd_kafka_queue_new: { args: [pointer], returns: pointer },
  rd_kafka_queue_get_main: { args: [pointer], returns: pointer },
  rd_kafka_queue_get_consumer: { args: [pointer], returns: pointer },
  rd_kafka_queue_io_event_enable: { args: [pointer, i32, pointer, u64], returns: nothing },
  rd_kafka_queue_poll: { args: [pointer, i32], returns: pointer },
  rd_kafka_queue_destroy: { args: [pointer], returns: nothing },
  rd_kafka_event_error: { args: [pointer], returns: i32 },
  rd_kafka_event_error_string: { args: [pointer], returns: cstring },
  rd_kafka_event_destroy: { args: [pointer], returns: nothing },
  rd_kafka_ConfigResource_new: { args: [i32, pointer], returns: pointer },
  rd_kafka_ConfigResource_destroy: { args: [pointer], returns: nothing },
  rd_kafka_ConfigResource_error: { args: [pointer], returns: i32 },
  rd_kafka_ConfigResource_error_string: { args: [pointer], returns: cstring },
  rd_kafka_ConfigResource_configs: { args: [pointer, pointer], returns: pointer },
  rd_kafka_DescribeConfigs: { args: [pointer, pointer, u64, pointer, pointer], returns: nothing },
  rd_kafka_event_DescribeConfigs_result: { args: [pointer], returns: pointer },
  rd_kafka_DescribeConfigs_result_resources: { args: [pointer, pointer], returns: pointer },
  rd_kafka_ConfigEntry_name: { args: [pointer], returns: cstring },
  rd_kafka_ConfigEntry_value: { args: [pointer], returns: pointer },
}).symbols;

/** An address as bun:ffi gives it, of something that must be there. */
export function present(address: Pointer | bigint | null, what: string): Pointer {
  if (address === null) throw new Error(`librdkafka gave no ${what}`);
  return address as Pointer;
}

/** A text as C takes it. */
export const cText = (text: string): Buffer => Buffer.from(`${text}\0`);

/** librdkafka's words for an error. @param code of type rd_kafka_resp_err_t */
export const errorText = (code: number): string => String(rdkafka.rd_kafka_err2str(code));
