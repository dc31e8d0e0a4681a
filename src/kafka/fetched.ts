/** Takes records out of librdkafka many at a time, as bytes (native/records.cc): what nobody asks for is no object. */
import type { Pointer } from "bun:ffi";
import { present, rdkafka } from "./ffi.ts";
import type { RecordHeaders } from "./sender.ts";

/** Of a record's head in native/records.cc: two doubles, then 32-bit numbers. */
const [headBytes, headWords, headDoubles] = [40, 10, 5];
const lengthBytes = 4;
/** Values up to that are so many that looking into them would cost, and the number of records bounds them. */
const short = 512;
const part = (content: Buffer, at: number, bytes: number): Buffer | null =>
  bytes < 0 ? null : content.subarray(at, at + bytes);
const lengthOf = (bytes: number): number => Math.max(0, bytes);

/** A record as Kafka delivered it. It keeps the bytes of all that were taken with it, until it `own`s its own. */
export class DeliveredRecord {
  /** What it takes in memory: key, value and headers, and what becomes of a long value when it is decoded. */
  readonly bytes: number;
  constructor(
    readonly topic: string,
    readonly partition: number,
    readonly offset: number,
    /** Of the leader that appended it (KIP-320): what comes later has none that is lower. -1: not told. */
    readonly leaderEpoch: number,
    /** Milliseconds since the epoch, as the producer or the broker gave it; -1: none. */
    readonly timestampMs: number,
    /** Key, value and headers, one after the other. A length of -1: there is none. */
    private content: Buffer,
    private readonly keyBytes: number,
    private readonly valueBytes: number,
  ) {
    this.bytes = content.length + decodedBytes(content, lengthOf(keyBytes), valueBytes);
  }
  /** Copies its bytes, once: those of the others are let go. */
  own(): void {
    if (this.content.length < this.content.buffer.byteLength) this.content = Buffer.from(this.content);
  }
  get key(): Buffer | null {
    return part(this.content, 0, this.keyBytes);
  }
  get value(): Buffer | null {
    return part(this.content, lengthOf(this.keyBytes), this.valueBytes);
  }
  get headers(): RecordHeaders {
    const found: RecordHeaders = [];
    for (let at = lengthOf(this.keyBytes) + lengthOf(this.valueBytes); at < this.content.length; ) {
      const nameAt = at + 2 * lengthBytes;
      const textAt = nameAt + this.content.readInt32LE(at);
      const textBytes = this.content.readInt32LE(at + lengthBytes);
      found.push({ [this.content.toString("utf8", nameAt, textAt)]: part(this.content, textAt, textBytes) });
      at = textAt + lengthOf(textBytes);
    }
    return found;
  }
}

/** The text once more, and objects: of JSON that is little but brackets they take thirty times as much (JavaScriptCore). */
function decodedBytes(content: Buffer, valueAt: number, length: number): number {
  let sum = lengthOf(length);
  for (let at = valueAt; length > short && at < valueAt + length; at += 1) {
    const byte = content[at];
    sum += byte === 0x5b || byte === 0x7b ? 100 : byte === 0x3a ? 60 : 0;
  }
  return sum;
}

/** Records, what librdkafka had to say instead of one, and partitions that are read to their end. */
export type Fetched = { records: DeliveredRecord[]; errors: string[]; ended: number[] };

/** RD_KAFKA_RESP_ERR__PARTITION_EOF: only told to who asks for it. */
const partitionEnd = -191;

/** @param client a consumer; @param topic the only one that it reads */
export function openFetched(client: Pointer, topic: string) {
  const queue = present(rdkafka.rd_kafka_queue_get_consumer(client), "queue of the consumer");
  const sizes = new Float64Array(2);
  return {
    take(mostRecords: number): Fetched {
      const fetched: Fetched = { records: [], errors: [], ended: [] };
      const batch = rdkafka.coffee_orders_fetched(queue, mostRecords, sizes);
      if (batch === null) return fetched;
      const [count, bytes] = sizes as unknown as [number, number];
      const memory = Buffer.from(new ArrayBuffer(bytes));
      rdkafka.coffee_orders_unpack(batch, memory);
      const words = new Int32Array(memory.buffer, 0, count * headWords);
      const doubles = new Float64Array(memory.buffer, 0, count * headDoubles);
      let at = count * headBytes;
      for (let n = 0; n < count; n += 1) {
        const word = (place: number) => words[n * headWords + place] as number;
        const offset = doubles[n * headDoubles] as number;
        const timestampMs = doubles[n * headDoubles + 1] as number;
        const lengths = [word(6), word(7)] as const;
        const content = memory.subarray(at, at + lengthOf(word(6)) + lengthOf(word(7)) + word(8));
        const record = new DeliveredRecord(topic, word(4), offset, word(9), timestampMs, content, ...lengths);
        if (word(5) === 0) fetched.records.push(record);
        else if (word(5) === partitionEnd) fetched.ended.push(word(4));
        else fetched.errors.push(`${offset < 0 ? "" : `partition ${word(4)}: `}${record.value}`);
        at += content.length;
      }
      return fetched;
    },
    close: (): void => rdkafka.rd_kafka_queue_destroy(queue),
  };
}
