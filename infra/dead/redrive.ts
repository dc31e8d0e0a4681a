/**
 * Sends the original records of dead letters back to the orders topic, acknowledged as an order is. The letters stay
 * where they are, and nothing is noted of it: an order that was handled meanwhile, or is sent twice, is recognised by
 * the ledger, so that the command may be repeated after any failure.
 */
import { createHash } from "node:crypto";
import type { KafkaConfig } from "../../src/config.ts";
import { openProducer } from "../../src/kafka/producer.ts";
import { topicFault } from "../../src/kafka/topics.ts";
import type { ReadRecord, TopicReader } from "../read-topic.ts";
import type { Place } from "./arguments.ts";
import { type Filter, letterOf, matches, original } from "./letters.ts";
import { recordAt } from "./list.ts";

const deliveryTimeoutMs = 20_000;
const metadataTimeoutMs = 10_000;
const maxInFlight = 1_000;

/** How many letters were meant, and what became of their records. */
export type Redriven = {
  meant: number;
  /** Records that were sent already for an earlier letter: same key, same bytes. */
  repeated: number;
  acknowledged: number;
  failed: number;
  /** Kafka's words of the first failure. */
  error: string | undefined;
};

/** @throws Error when the orders topic can't be reached or relied on; nothing was sent then */
export async function redrive(
  config: KafkaConfig,
  reader: TopicReader,
  { which, limit }: { which: Place | Filter; limit: number },
): Promise<Redriven> {
  const counts: Redriven = { meant: 0, repeated: 0, acknowledged: 0, failed: 0, error: undefined };
  const sent = new Set<string>();
  let inFlight = 0;
  const producer = await openProducer(config, {
    lingerMs: 5,
    deliveryTimeoutMs,
  });
  try {
    const partitions = await producer.partitions(config.ORDERS_TOPIC, metadataTimeoutMs);
    const fault = await topicFault(config, config.ORDERS_TOPIC, partitions);
    if (fault) throw new Error(fault);

    const send = async (record: ReadRecord) => {
      counts.meant += 1;
      const identity = createHash("sha256")
        .update(record.key ?? "")
        .update("\0")
        .update(record.value ?? "");
      const digest = identity.digest("base64");
      if (sent.has(digest)) {
        counts.repeated += 1;
        return;
      }
      sent.add(digest);
      while (inFlight >= maxInFlight) await Bun.sleep(1);
      const from = letterOf(record).source?.partition ?? record.partition;
      inFlight += 1;
      try {
        const place = { topic: config.ORDERS_TOPIC, partition: from % partitions.length };
        producer.produce({ ...original(record), ...place }, ({ error }) => {
          inFlight -= 1;
          if (error === undefined) counts.acknowledged += 1;
          else fail(error);
        });
      } catch (error) {
        inFlight -= 1;
        fail((error as Error).message);
      }
    };

    if ("offset" in which) await send(await recordAt(reader, which));
    else
      await reader.read(reader.ranges, async (record) => {
        if (matches(letterOf(record), which)) await send(record);
        return counts.meant >= limit ? "enough" : undefined;
      });
  } finally {
    await producer.close(deliveryTimeoutMs);
  }
  // Whose report did not come in time may or may not be there: to be sent again.
  if (inFlight > 0) fail("no report in time", inFlight);
  return counts;

  function fail(error: string, records = 1): void {
    counts.failed += records;
    counts.error ??= error;
  }
}
