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
const kind = { topic: 2, partition: 3, value: 4, key: 5, opaque: 6, flags: 7, header: 9 };
/** Of `rd_kafka_vu_t`, an argument: its kind, padding, then 64 bytes for whatever it is. */
const argumentWords = 18;
const firstHeader = 6;
const copyValue = 2;
const wordValues = 2 ** 32;
/** RD_KAFKA_RESP_ERR__QUEUE_FULL */
const queueFull = -184;

/**
 * librdkafka refused a record, for certain: its queue is full; or it met a fatal error (KIP-360), can send nothing more
 * and has to be replaced; or something else, such as a record larger than message.max.bytes.
 */
export class RefusedRecord extends Error {
  override name = "RefusedRecord";
  constructor(
    message: string,
    readonly reason: "queue full" | "client failed" | "other",
  ) {
    super(message);
  }
}

export type Sender = ReturnType<typeof openSender>;

/** The librdkafka client behind one of node-rdkafka's. @param name as that has it once it is connected */
export function clientOf(name: string): Pointer {
  opened ??= open();
  return present(opened.coffee_orders_client(cText(name)), `client ${name}`);
}

/** @param client of librdkafka's, which must outlive what is opened here */
export function openSender(client: Pointer) {
  opened ??= open();
  const api = opened;
  const topics = new Map<string, Pointer>();
  // Used for one record after the other: librdkafka copies all of it before the call returns.
  let text = textOf(4_096);
  let used = 0;
  let words = argumentsFor(16);
  /** What was shared by the last records, as arguments; their texts are in a memory of their own. */
  let shared = {
    headers: [] as NonNullable<OutgoingRecord["sharedHeaders"]>,
    words: new Uint32Array(),
    text,
  };

  function topicOf(name: string): Pointer {
    const known = topics.get(name);
    if (known !== undefined) return known;
    const topic = present(api.rd_kafka_topic_new(client, cText(name), null), `topic ${name}`);
    topics.set(name, topic);
    return topic;
  }

  /** Makes room for a record: a text of UTF-16 needs at most three bytes for each of its units. */
  function reserve(
    headers: OutgoingRecord["headers"],
    others: number,
    ...texts: OutgoingRecord["value"][]
  ): void {
    let bytes = 0;
    for (const value of texts) bytes += 3 * (value?.length ?? 0);
    for (const header of headers)
      for (const name in header) bytes += 3 * (name.length + (header[name] as string | Buffer).length) + 1;
    if (bytes > text.bytes.length) text = textOf(2 * bytes);
    const count = firstHeader + others + headers.length;
    if (count > words.length / argumentWords) words = argumentsFor(2 * count);
    used = 0;
  }

  /** Puts a text or bytes into the memory for texts, and its address into the arguments. @returns its length */
  function put(value: string | Buffer, at: number): number {
    const length = typeof value === "string" ? text.bytes.write(value, used) : value.copy(text.bytes, used);
    address(text.start + used, at);
    used += length;
    return length;
  }

  /** Puts headers into the arguments, from that one on. @returns the first argument after them */
  function putHeaders(headers: OutgoingRecord["headers"], from: number): number {
    let at = from * argumentWords;
    for (const header of headers)
      for (const name in header) {
        words[at] = kind.header;
        put(name, at + 2);
        text.bytes[used++] = 0;
        address(put(header[name] as string | Buffer, at + 4), at + 6);
        at += argumentWords;
      }
    return at / argumentWords;
  }

  /** Encodes what many records share, into memory that is used for nothing else. */
  function share(headers: NonNullable<OutgoingRecord["sharedHeaders"]>): void {
    const [usualText, usualWords] = [text, words];
    text = textOf(0);
    words = argumentsFor(0);
    reserve(headers, 0);
    const end = putHeaders(headers, firstHeader);
    shared = { headers, words: words.slice(firstHeader * argumentWords, end * argumentWords), text };
    text = usualText;
    words = usualWords;
  }

  function address(value: number, at: number): void {
    words[at] = value % wordValues;
    words[at + 1] = Math.floor(value / wordValues);
  }

  /** A text or bytes as an argument; absent is not the same as empty. */
  function block(index: number, of: number, value: string | Buffer | null): void {
    const at = index * argumentWords;
    words[at] = of;
    if (value === null) address(0, at + 2);
    address(value === null ? 0 : put(value, at + 2), at + 4);
  }

  return {
    /** Queues a record. @param tag what its report will be known by, from 1 on @throws RefusedRecord: not queued */
    send(record: OutgoingRecord, tag: number): void {
      const { headers, sharedHeaders = none } = record;
      if (shared.headers !== sharedHeaders) share(sharedHeaders);
      reserve(headers, sharedHeaders.length, record.key, record.value);
      words[0] = kind.topic;
      address(topicOf(record.topic), 2);
      words[argumentWords] = kind.partition;
      words[argumentWords + 2] = record.partition;
      words[2 * argumentWords] = kind.flags;
      words[2 * argumentWords + 2] = copyValue;
      block(3, kind.value, record.value);
      block(4, kind.key, record.key);
      words[5 * argumentWords] = kind.opaque;
      address(tag, 5 * argumentWords + 2);
      words.set(shared.words, firstHeader * argumentWords);
      const count = putHeaders(headers, firstHeader + shared.words.length / argumentWords);
      const error = api.rd_kafka_produceva(client, words, count);
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

const none: OutgoingRecord["headers"] = [];
const argumentsFor = (headers: number) => new Uint32Array((firstHeader + headers) * argumentWords);

function textOf(length: number): { bytes: Buffer; start: number } {
  // An empty one has no address, and an empty text needs one.
  const bytes = Buffer.alloc(Math.max(length, 1));
  return { bytes, start: ptr(bytes) };
}
