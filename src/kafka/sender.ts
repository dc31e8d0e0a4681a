/**
 * Hands records to the librdkafka client behind one of node-rdkafka's, many in one call (native/send.cc): node-rdkafka's
 * own `produce` takes 11 µs of CPU for a record with six headers on Bun, most of it for looking into JavaScript objects
 * from C++. Everything else of a client stays node-rdkafka's. Source: rdkafka.h.
 */
import { CString, dlopen, FFIType, type Pointer } from "bun:ffi";
import { library } from "./addon.ts";
import { cText, present } from "./admin.ts";
import type { OutgoingRecord } from "./producer.ts";

const { ptr: pointer, i32, u64, bool, void: nothing } = FFIType;

const open = () =>
  dlopen(library, {
    coffee_orders_client: { args: [pointer], returns: pointer },
    coffee_orders_send: {
      args: [pointer, pointer, pointer, pointer, pointer, pointer, u64, u64, bool, pointer],
      returns: nothing,
    },
    rd_kafka_topic_new: { args: [pointer, pointer, pointer], returns: pointer },
    rd_kafka_topic_destroy: { args: [pointer], returns: nothing },
    rd_kafka_error_code: { args: [pointer], returns: i32 },
    rd_kafka_error_is_fatal: { args: [pointer], returns: i32 },
    rd_kafka_error_string: { args: [pointer], returns: pointer },
    rd_kafka_error_destroy: { args: [pointer], returns: nothing },
  }).symbols;
let opened: ReturnType<typeof open> | undefined;

/** By error code: RD_KAFKA_RESP_ERR__QUEUE_FULL, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE. */
const reasons: Record<number, RefusedRecord["reason"]> = { [-184]: "queue full", 10: "too large" };
/** There is no key, or no value. */
const absent = -1;

/**
 * librdkafka refused a record, for certain: its queue is full; or it met a fatal error (KIP-360), can send nothing more
 * and has to be replaced; or the record is longer than message.max.bytes; or something else.
 */
export class RefusedRecord extends Error {
  override name = "RefusedRecord";
  constructor(
    message: string,
    readonly reason: "queue full" | "client failed" | "too large" | "other",
    /** The same as rd_kafka_resp_err_t, where librdkafka was asked. */
    readonly code = 0,
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

/**
 * @param client of librdkafka's, which must outlive what is opened here
 * @param lingers it has a linger.ms; if not, records that are sent together leave together
 */
export function openSender(client: Pointer, lingers: boolean) {
  opened ??= open();
  const api = opened;
  const topics = new Map<string, Pointer>();
  // Used again and again: librdkafka copies all of it before the call returns.
  const encoder = createEncoder();
  let errors = new Float64Array(64);
  let shared = { headers: none, ...encodedHeaders(none) };

  function topicOf(name: string): Pointer {
    const known = topics.get(name);
    if (known !== undefined) return known;
    const topic = present(api.rd_kafka_topic_new(client, cText(name), null), `topic ${name}`);
    topics.set(name, topic);
    return topic;
  }

  /** Why a record was refused. @param error of type rd_kafka_error_t, which is destroyed */
  function refusal(error: Pointer): RefusedRecord {
    const message = new CString(api.rd_kafka_error_string(error) as Pointer).toString();
    const code = api.rd_kafka_error_code(error);
    const reason = reasons[code] ?? "other";
    const failed = api.rd_kafka_error_is_fatal(error) !== 0;
    api.rd_kafka_error_destroy(error);
    return new RefusedRecord(message, failed ? "client failed" : reason, code);
  }

  /** Queues records that have a topic and their shared headers in common. @returns an error for each, or 0 */
  function sendAlike(records: readonly OutgoingRecord[], firstTag: number): Float64Array {
    const [{ topic, sharedHeaders = none }] = records as [OutgoingRecord];
    if (shared.headers !== sharedHeaders)
      shared = { headers: sharedHeaders, ...encodedHeaders(sharedHeaders) };
    encoder.begin();
    for (const record of records) encoder.add(record);
    if (records.length > errors.length) errors = new Float64Array(2 * records.length);
    const { numbers, texts } = encoder.encoded();
    const count = BigInt(records.length);
    api.coffee_orders_send(
      ...([client, topicOf(topic), shared.numbers, shared.texts, numbers, texts, count] as const),
      ...([BigInt(firstTag), lingers, errors] as const),
    );
    return errors;
  }

  return {
    /**
     * Queues records in their order.
     * @param firstTag what the report of the first will be known by, from 1 on; the others' are the numbers after it
     * @returns those that were not queued: their places, and why
     */
    send(records: readonly OutgoingRecord[], firstTag: number): [n: number, refused: RefusedRecord][] {
      const refused: [number, RefusedRecord][] = [];
      for (let from = 0, to = 0; from < records.length; from = to) {
        const { topic, sharedHeaders } = records[from] as OutgoingRecord;
        while (records[to]?.topic === topic && records[to]?.sharedHeaders === sharedHeaders) to += 1;
        const found = sendAlike(records.slice(from, to), firstTag + from);
        for (let n = from; n < to; n += 1)
          if (found[n - from] !== 0) refused.push([n, refusal(found[n - from] as Pointer)]);
      }
      return refused;
    },

    /** Before the client is disconnected: nothing is sent after that. */
    close(): void {
      for (const topic of topics.values()) api.rd_kafka_topic_destroy(topic);
      topics.clear();
    },
  };
}

const none: OutgoingRecord["headers"] = [];

/** Headers by themselves: how many, and what they are. */
function encodedHeaders(headers: OutgoingRecord["headers"]) {
  const encoder = createEncoder();
  encoder.addHeaders(headers);
  return encoder.encoded();
}

const firstBytes = 8_192;
/** More than that is not kept for later: few groups are so large. */
const keptBytes = 4 * 1_048_576;

/** Writes records as native/send.cc reads them, into memory that grows with what it has to hold. */
function createEncoder() {
  let numbers = new Int32Array(256);
  let texts = Buffer.alloc(firstBytes);
  let count = 0;
  let used = 0;

  /** Makes room. @param units of UTF-16, each of which takes at most three bytes */
  function reserve(more: number, units: number): void {
    if (count + more > numbers.length) {
      const larger = new Int32Array(2 * (count + more));
      larger.set(numbers);
      numbers = larger;
    }
    if (used + 3 * units > texts.length) {
      const larger = Buffer.alloc(2 * (used + 3 * units));
      texts.copy(larger, 0, 0, used);
      texts = larger;
    }
  }

  function put(value: string | Buffer | null): void {
    if (value === null) {
      numbers[count++] = absent;
      return;
    }
    const length = typeof value === "string" ? texts.write(value, used) : value.copy(texts, used);
    numbers[count++] = length;
    used += length;
  }

  function addHeaders(headers: OutgoingRecord["headers"]): void {
    reserve(1, 0);
    const total = count++;
    let pairs = 0;
    for (const header of headers)
      for (const name in header) {
        const value = header[name] ?? null;
        reserve(2, name.length + 1 + (value?.length ?? 0));
        put(name);
        texts[used++] = 0;
        put(value);
        pairs += 1;
      }
    numbers[total] = pairs;
  }

  return {
    begin(): void {
      if (texts.length > keptBytes) texts = Buffer.alloc(firstBytes);
      count = 0;
      used = 0;
    },
    add({ partition, key, value, headers, timestampMs = 0 }: OutgoingRecord): void {
      reserve(5, (key?.length ?? 0) + (value?.length ?? 0));
      numbers[count++] = partition;
      numbers[count++] = timestampMs | 0;
      numbers[count++] = Math.floor(timestampMs / 2 ** 32);
      put(key);
      put(value);
      addHeaders(headers);
    },
    addHeaders,
    encoded: () => ({ numbers, texts }),
  };
}
