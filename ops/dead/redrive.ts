/**
 * Sends the original records of dead letters back to the orders topic, acknowledged as an order is. The letters stay
 * where they are, and nothing is noted of it: an order that was handled meanwhile, or is sent twice, is recognised by
 * the ledger, so that the command may be repeated after any failure. What a stub stands for is read from its own place.
 */
import type { KafkaConfig } from "../../src/config.ts";
import { openProducer } from "../../src/kafka/producer.ts";
import type { OutgoingRecord } from "../../src/kafka/sender.ts";
import { askOfTopic } from "../../src/kafka/topics.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import { isUuid } from "../../src/wire/order-id.ts";
import { openTopicReader, type ReadRecord, type TopicReader } from "../read-topic.ts";
import type { LetterPlace } from "./arguments.ts";
import { digestOfStub, type Filter, letterOf, matches, original } from "./letters.ts";
import { recordAt } from "./list.ts";

const deliveryTimeoutMs = 20_000;
/** A thousand small ones, and of large ones what is soon acknowledged, be it over a slow line. */
const [maxInFlightBytes, aroundRecordBytes] = [16_000_000, 16_000];
const tellEveryMs = 300;
const askedAtOnce = 1_000;
/** As much as the client takes: what was on the topic once, the brokers take again. */
const maxBytes = 100_000_000;
/** INVALID_TIMESTAMP, or INVALID_RECORD where several of a batch had one; and that another of its batch had (KIP-467). */
const [timeRefused, anotherRefused] = [[32, 87], -138];

const sha256 = (content: Buffer | string | null) => Bun.CryptoHasher.hash("sha256", content ?? "", "hex");
const bytesOf = ({ value, headers }: OutgoingRecord): number =>
  headers.flatMap(Object.values).reduce((sum, one) => sum + (one?.length ?? 0), value?.length ?? 0) +
  aroundRecordBytes;

/** Which letters, in the order of their places; those of a filter from after a place on. */
export type Meant = { which: LetterPlace | Filter; limit: number; after?: LetterPlace };

/** How many letters were meant, and what became of their records. */
export type Counts = {
  meant: number;
  /** Records that were sent already for an earlier letter: same key, same bytes. */
  repeated: number;
  acknowledged: number;
  failed: number;
};

export type Redriven = Counts & {
  /** The words of the first failure. */
  error: string | undefined;
  /** The last letter, if there may be more after the limit. */
  stoppedAt: LetterPlace | undefined;
};

/** Gives each letter that is meant to `take`. @returns the last one, when the limit ended it */
async function eachMeant(
  reader: TopicReader,
  { which, limit, after }: Meant,
  take: (record: ReadRecord) => Promise<void>,
): Promise<LetterPlace | undefined> {
  if ("offset" in which) {
    await take(await recordAt(reader, which));
    return undefined;
  }
  let meant = 0;
  let last: LetterPlace | undefined;
  // One partition after the other: only so there is an order, in which to go on from a place.
  for (const range of reader.ranges) {
    const { partition, start } = range;
    if (meant >= limit || (after && partition < after.partition)) continue;
    const from = after?.partition === partition ? Math.max(start, after.offset + 1) : start;
    await reader.read([{ ...range, start: from }], async (record) => {
      if (!matches(letterOf(record), which)) return undefined;
      await take(record);
      last = { partition, offset: record.offset };
      meant += 1;
      return meant >= limit ? "enough" : undefined;
    });
  }
  return meant >= limit ? last : undefined;
}

/**
 * A letter that would have no second effect, or may have one: the ledger has its order as handled, or has not. `gone`: why its
 * record can't be sent, for it is a stub.
 */
export type Foreseen = { place: LetterPlace; handled: boolean; gone?: string };

/** Sends nothing. @throws LedgerUnavailableError */
export async function foresee(
  config: KafkaConfig,
  ledger: Pick<Ledger, "find">,
  reader: TopicReader,
  meant: Meant,
): Promise<{ letters: Foreseen[]; stoppedAt: LetterPlace | undefined }> {
  const found: (Omit<Foreseen, "handled"> & { orderId: string | null })[] = [];
  const sources = openSources(config);
  const goneOf = (error: Error) => ({ gone: error.message });
  const stoppedAt = await eachMeant(reader, meant, async (record) => {
    const { orderId, partition, offset } = letterOf(record);
    const isWhole = digestOfStub(record) === undefined;
    const gone = isWhole ? {} : await sources.read(record).then(() => ({}), goneOf);
    found.push({ place: { partition, offset }, orderId, ...gone });
  }).finally(sources.close);
  const letters: Foreseen[] = [];
  for (let from = 0; from < found.length; from += askedAtOnce) {
    const some = found.slice(from, from + askedAtOnce);
    const views = await ledger.find(some.flatMap(({ orderId }) => orderId ?? []).filter(isUuid));
    for (const { orderId, ...one } of some)
      letters.push({ ...one, handled: orderId !== null && views.get(orderId)?.status === "handled" });
  }
  return { letters, stoppedAt };
}

/**
 * @param tell is told how far it is, now and then
 * @throws Error when the orders topic can't be reached or relied on; nothing was sent then
 */
export async function redrive(
  config: KafkaConfig,
  reader: TopicReader,
  meant: Meant,
  tell: (soFar: Counts) => void = () => {},
): Promise<Redriven> {
  const counts: Counts = { meant: 0, repeated: 0, acknowledged: 0, failed: 0 };
  let firstError: string | undefined;
  let stoppedAt: LetterPlace | undefined;
  const sent = new Set<string>();
  let inFlightBytes = 0;
  const sources = openSources(config);
  const producer = await openProducer(config, { lingerMs: 5, deliveryTimeoutMs, maxBytes });
  const telling = setInterval(() => tell(counts), tellEveryMs);
  try {
    const { fault, partitions, retentionMs } = await askOfTopic(config, config.ORDERS_TOPIC, producer);
    if (fault) throw new Error(fault);

    stoppedAt = await eachMeant(reader, meant, async (letter) => {
      counts.meant += 1;
      try {
        const record = digestOfStub(letter) === undefined ? original(letter) : await sources.read(letter);
        const identity = sha256(sha256(record.key) + sha256(record.value));
        if (sent.has(identity)) {
          counts.repeated += 1;
          return;
        }
        sent.add(identity);
        const from = letterOf(letter).source?.partition ?? letter.partition;
        const place = { topic: config.ORDERS_TOPIC, partition: from % partitions.length };
        // With a time that is old the topic would soon delete it, handled or not.
        const old = (record.timestampMs ?? 0) < Date.now() - retentionMs / 2;
        const { timestampMs: _, ...ofNow } = record;
        await send({ ...(old ? ofNow : record), ...place });
      } catch (error) {
        fail((error as Error).message);
      }
    });
  } finally {
    await producer.close(deliveryTimeoutMs);
    clearInterval(telling);
    await sources.close();
  }
  // Whose report did not come in time may or may not be there: to be sent again.
  const left = counts.meant - counts.repeated - counts.acknowledged - counts.failed;
  if (left > 0) fail("no report in time", left);
  return { ...counts, error: firstError, stoppedAt };

  /** Waits for room. With a time that the topic does not take any more it goes once more, as of now. */
  async function send(record: OutgoingRecord): Promise<void> {
    const { timestampMs, ...ofNow } = record;
    const bytes = bytesOf(record);
    while (inFlightBytes > 0 && inFlightBytes + bytes > maxInFlightBytes) await Bun.sleep(1);
    producer.produce(record, ({ error, code }) => {
      inFlightBytes -= bytes;
      const isTime = timestampMs !== undefined && timeRefused.includes(code);
      if (error === undefined) counts.acknowledged += 1;
      else if (!isTime && code !== anotherRefused) fail(error);
      else send(isTime ? ofNow : record).catch(({ message }) => fail(message));
    });
    inFlightBytes += bytes;
  }

  function fail(error: string, records = 1): void {
    counts.failed += records;
    firstError ??= error;
  }
}

/** Where the records of stubs lie. */
function openSources(config: KafkaConfig) {
  const readers = new Map<string, Promise<TopicReader>>();
  return {
    /** @throws Error with the place when the record is not there any more */
    async read(stub: ReadRecord) {
      const { source } = letterOf(stub);
      if (!source) throw new Error("a stub that does not say where its record is");
      const reader = readers.get(source.topic) ?? openTopicReader(config, source.topic);
      readers.set(source.topic, reader);
      const gone = `the record at ${source.partition}/${source.offset} of ${source.topic} is gone, its letter is a stub`;
      const found = await recordAt(await reader, source).catch((cause) => {
        throw new Error(gone, { cause });
      });
      if (sha256(found.value) !== digestOfStub(stub)) throw new Error(gone);
      const { key, value, headers, timestampMs } = found;
      return { key, value, headers, timestampMs };
    },
    async close(): Promise<void> {
      for (const reader of readers.values()) await (await reader.catch(() => undefined))?.close();
    },
  };
}
