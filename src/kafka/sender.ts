/**
 * Hands records to the librdkafka client behind one of node-rdkafka's, through the C API that the addon exports:
 * node-rdkafka's own `produce` takes 11 µs of CPU for a record with six headers on Bun, most of it for looking into
 * JavaScript objects from C++; this takes 2. Everything else of a client stays node-rdkafka's. Source: rdkafka.h.
 */
import { CString, dlopen, FFIType, type Pointer, ptr } from "bun:ffi";
import { library } from "./addon.ts";
import { cText, present } from "./admin.ts";
import type { OutgoingRecord } from "./producer.ts";

const { ptr: pointer, i32, u64, void: nothing } = FFIType;

const open = () =>
  dlopen(library, {
    coffee_orders_client: { args: [pointer], returns: pointer },
    rd_kafka_topic_new: { args: [pointer, pointer, pointer], returns: pointer },
    rd_kafka_topic_destroy: { args: [pointer], returns: nothing },
    rd_kafka_produceva: { args: [pointer, pointer, u64], returns: pointer },
    rd_kafka_error_code: { args: [pointer], returns: i32 },
    rd_kafka_error_is_fatal: { args: [pointer], returns: i32 },
    rd_kafka_error_string: { args: [pointer], returns: pointer },
    rd_kafka_error_destroy: { args: [pointer], returns: nothing },
  }).symbols;
let opened: ReturnType<typeof open> | undefined;

/** Of `rd_kafka_vtype_t`: what an argument of `rd_kafka_produceva` is. */
const kind = { topic: 2, partition: 3, value: 4, key: 5, flags: 7, header: 9 };
/** Of `rd_kafka_vu_t`, an argument: its kind, padding, then 64 bytes for whatever it is. */
const argumentWords = 18;
const firstHeader = 5;
const copyValue = 2;
const wordValues = 2 ** 32;
/** RD_KAFKA_RESP_ERR__QUEUE_FULL */
const queueFull = -184;

/** librdkafka refused a record. */
export class RefusedRecord extends Error {
  constructor(
    message: string,
    readonly reason: "queue full" | "client failed" | "other",
  ) {
    super(message);
  }
}

export type Sender = ReturnType<typeof openSender>;

/** @param name of the client, as node-rdkafka has it once it is connected */
export function openSender(name: string) {
  opened ??= open();
  const api = opened;
  const client = present(api.coffee_orders_client(cText(name)), `client ${name}`);
  const topics = new Map<string, Pointer>();
  const encoder = new TextEncoder();
  // Used for one record after the other: librdkafka copies all of it before the call returns.
  let text = textOf(4_096);
  let used = 0;
  let words = argumentsFor(8);

  function topicOf(name: string): Pointer {
    const known = topics.get(name);
    if (known !== undefined) return known;
    const topic = present(api.rd_kafka_topic_new(client, cText(name), null), `topic ${name}`);
    topics.set(name, topic);
    return topic;
  }

  /** Makes room for the texts of a record; one of UTF-16 needs at most three bytes for each of its units. */
  function reserve(record: OutgoingRecord): void {
    let bytes = 3 * (record.key?.length ?? 0);
    if (typeof record.value === "string") bytes += 3 * record.value.length;
    for (const header of record.headers)
      for (const name in header) bytes += 3 * (name.length + (header[name] as string | Buffer).length) + 1;
    if (bytes > text.bytes.length) text = textOf(2 * bytes);
    if (record.headers.length + firstHeader > words.length / argumentWords)
      words = argumentsFor(2 * record.headers.length);
    used = 0;
  }

  /** Puts a text or bytes into the memory for texts, and its address into the arguments. @returns its length */
  function put(value: string | Uint8Array, at: number): number {
    let length: number;
    if (typeof value === "string") length = encoder.encodeInto(value, text.bytes.subarray(used)).written;
    else {
      text.bytes.set(value, used);
      length = value.length;
    }
    address(text.start + used, at);
    used += length;
    return length;
  }

  function address(value: number, at: number): void {
    words[at] = value % wordValues;
    words[at + 1] = Math.floor(value / wordValues);
  }

  /** A block of bytes as an argument. */
  function block(index: number, of: number, value: string | Uint8Array | null): void {
    const at = index * argumentWords;
    words[at] = of;
    if (value === null) {
      address(0, at + 2);
      address(0, at + 4);
      return;
    }
    if (typeof value !== "string" && of === kind.value) {
      address(value.length === 0 ? text.start : ptr(value), at + 2);
      address(value.length, at + 4);
    } else address(put(value, at + 2), at + 4);
  }

  return {
    /** Queues a record. @throws RefusedRecord: not queued */
    send(record: OutgoingRecord): void {
      reserve(record);
      words[0] = kind.topic;
      address(topicOf(record.topic), 2);
      words[argumentWords] = kind.partition;
      words[argumentWords + 2] = record.partition;
      words[2 * argumentWords] = kind.flags;
      words[2 * argumentWords + 2] = copyValue;
      block(3, kind.value, record.value);
      block(4, kind.key, record.key);
      let count = firstHeader;
      for (const header of record.headers)
        for (const name in header) {
          const at = count * argumentWords;
          words[at] = kind.header;
          put(name, at + 2);
          text.bytes[used++] = 0;
          address(put(header[name] as string | Buffer, at + 4), at + 6);
          count += 1;
        }
      const error = api.rd_kafka_produceva(client, words, BigInt(count));
      if (error === null) return;
      const message = new CString(api.rd_kafka_error_string(error) as Pointer).toString();
      const full = api.rd_kafka_error_code(error) === queueFull;
      const failed = api.rd_kafka_error_is_fatal(error) !== 0;
      api.rd_kafka_error_destroy(error);
      throw new RefusedRecord(message, full ? "queue full" : failed ? "client failed" : "other");
    },

    /** Before the client is disconnected: nothing is sent after that. */
    close(): void {
      for (const topic of topics.values()) api.rd_kafka_topic_destroy(topic);
      topics.clear();
    },
  };
}

const argumentsFor = (headers: number) => new Uint32Array((firstHeader + headers) * argumentWords);

function textOf(length: number): { bytes: Uint8Array; start: number } {
  const bytes = new Uint8Array(length);
  return { bytes, start: ptr(bytes) };
}
