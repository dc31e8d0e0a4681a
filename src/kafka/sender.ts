/** Hands records to librdkafka, many in one call (native/send.cc): node-rdkafka takes 11 µs of CPU for each. */
import type { Pointer } from "bun:ffi";
import { cText, present, rdkafka } from "./ffi.ts";
import type { OutgoingRecord, RecordHeaders } from "./outgoing.ts";

/** By error code: RD_KAFKA_RESP_ERR__QUEUE_FULL, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE. */
const reasons: Record<number, RefusedRecord["reason"]> = { [-184]: "queue full", 10: "too large" };

/** librdkafka refused a record, for certain. «client failed»: a fatal error (KIP-360), so it has to be replaced. */
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

const none: RecordHeaders = [];

/** @param lingers the client has a linger.ms; if not, records that are sent together leave together */
export function openSender(client: Pointer, lingers: boolean) {
  const topics = new Map<string, Pointer>();
  // Used again and again: librdkafka copies all of it before the call returns.
  const encoder = createEncoder();
  let errors = new Float64Array(64);
  let shared = { headers: none, ...encodedHeaders(none) };

  function topicOf(name: string): Pointer {
    const topic = topics.get(name) ?? present(rdkafka.rd_kafka_topic_new(client, cText(name), null), name);
    topics.set(name, topic);
    return topic;
  }

  return {
    /**
     * Queues records in their order. They must have their topic, and the array of their shared headers, in common.
     * @param firstTag what the report of the first will be known by, from 1 on; the others' are the numbers after it
     * @returns those that were not queued: their places, and why
     */
    send(records: readonly OutgoingRecord[], firstTag: number): [n: number, refused: RefusedRecord][] {
      const [first] = records;
      if (first === undefined) return [];
      const { topic, sharedHeaders = none } = first;
      if (shared.headers !== sharedHeaders)
        shared = { headers: sharedHeaders, ...encodedHeaders(sharedHeaders) };
      encoder.begin();
      for (const record of records) {
        if (record.topic !== topic || (record.sharedHeaders ?? none) !== sharedHeaders)
          throw new TypeError("records of several topics or shared headers in one call");
        encoder.add(record);
      }
      if (records.length > errors.length) errors = new Float64Array(2 * records.length);
      const { numbers, texts } = encoder.encoded();
      const [count, tag] = [BigInt(records.length), BigInt(firstTag)];
      rdkafka.coffee_orders_send(
        ...([client, topicOf(topic), shared.numbers, shared.texts, numbers, texts] as const),
        ...([count, tag, lingers, errors] as const),
      );
      const refused: [number, RefusedRecord][] = [];
      for (let n = 0; n < records.length; n += 1)
        if (errors[n] !== 0) refused.push([n, refusal(errors[n] as Pointer)]);
      return refused;
    },

    /** Nothing is sent after that. */
    close(): void {
      for (const topic of topics.values()) rdkafka.rd_kafka_topic_destroy(topic);
      topics.clear();
    },
  };
}

/** Why a record was refused. @param error of type rd_kafka_error_t, which is destroyed */
function refusal(error: Pointer): RefusedRecord {
  const message = String(rdkafka.rd_kafka_error_string(error));
  const code = rdkafka.rd_kafka_error_code(error);
  const failed = rdkafka.rd_kafka_error_is_fatal(error) !== 0;
  rdkafka.rd_kafka_error_destroy(error);
  return new RefusedRecord(message, failed ? "client failed" : (reasons[code] ?? "other"), code);
}

/** Headers by themselves: how many, and what they are. */
function encodedHeaders(headers: RecordHeaders) {
  const encoder = createEncoder();
  encoder.addHeaders(headers);
  return encoder.encoded();
}

/** There is no key, or no value. */
const absent = -1;
const firstBytes = 8_192;
/** More than that is not kept for later: few groups are so large. */
const keptBytes = 4 * 1_048_576;

/** Writes records as native/send.cc reads them, into memory that grows with what it has to hold. */
function createEncoder() {
  let numbers = new Int32Array(256);
  let texts = Buffer.from(new ArrayBuffer(firstBytes));
  let count = 0;
  let used = 0;

  /** Makes room. @param units of UTF-16, each of which takes at most three bytes */
  function reserve(more: number, units: number): void {
    const needed = used + 3 * units;
    if (count + more > numbers.length)
      numbers = new Int32Array(numbers.buffer.transfer(2 * numbers.BYTES_PER_ELEMENT * (count + more)));
    if (needed > texts.length) texts = Buffer.from(texts.buffer.transfer(2 * needed));
  }

  function put(value: string | Buffer | null): void {
    numbers[count] = absent;
    if (typeof value === "string") numbers[count] = texts.write(value, used);
    else if (value !== null) numbers[count] = value.copy(texts, used);
    used += Math.max(0, numbers[count++] as number);
  }

  function addHeaders(headers: RecordHeaders): void {
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
      if (texts.length > keptBytes) texts = Buffer.from(new ArrayBuffer(firstBytes));
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
