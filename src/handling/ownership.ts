/** Which partitions are owned, and whether their logs are still the same: where one is not, all in it is taken on. */
import type { ConsumerConfig } from "../config.ts";
import type { KafkaConsumer } from "../kafka/consumer.ts";
import type { DeliveredRecord } from "../kafka/fetched.ts";
import type { CommittedOffset, Start } from "../kafka/places.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Logger } from "../runtime/log.ts";
import type { HandlingMetrics } from "./metrics.ts";
import { createOffsetTracker, topicOf } from "./offsets.ts";
import { type OwnedPartition, ownPartition, Work } from "./work.ts";

const lookUpTimeoutMs = 5_000;
const retryMs = 500;

/** What a member works with, whatever becomes of the records. */
export type OwnershipParts = { consumer: KafkaConsumer; metrics: HandlingMetrics; log: Logger; clock: Clock };

export function createOwnership(config: ConsumerConfig, { consumer, metrics, log, clock }: OwnershipParts) {
  const owned = new Map<number, OwnedPartition>();
  let topicId: string | undefined;
  let rewindAtMs = 0;
  const toldId = () => topicId ?? "-";
  /** Takes partitions on from where the group stands; also while leaving, or it could not, but then nothing of them counts. */
  async function takeOn(partitions: readonly number[], isLeaving: () => boolean): Promise<void> {
    for (;;) {
      const leaves = isLeaving();
      // The group demands that nothing is taken on, too.
      const asks = partitions.length > 0 && !leaves;
      try {
        const committed = asks ? await consumer.committed(partitions, lookUpTimeoutMs) : undefined;
        const id = consumer.topicId();
        if (id === undefined && committed?.values().some((start) => topicOf(start) !== undefined))
          throw new Error(`the id of ${config.ORDERS_TOPIC} is not told`);
        topicIs(id);
        consumer.assign(partitions.map((partition) => own(partition, committed?.get(partition), leaves)));
        return;
      } catch (error) {
        log.warn({ kafka: (error as Error).message }, "partitions can't be taken on yet");
        if (leaves) return;
        if (!isLeaving()) await clock.sleep(retryMs);
      }
    }
  }
  /** Begins an ownership. @returns where reading begins */
  function own(partition: number, committed: CommittedOffset | undefined, leaves: boolean): Start {
    const of = committed && topicOf(committed);
    const isOther = of !== undefined && of !== topicId;
    if (isOther) restarted("recreated", { partition, from: committed?.offset });
    const start = isOther ? undefined : committed;
    const owner = ownPartition(partition, start, toldId);
    owner.lost = leaves;
    if (leaves) owner.revoked.abort();
    owned.set(partition, owner);
    return { partition, offset: start?.offset ?? "beginning", leaderEpoch: start?.leaderEpoch ?? -1 };
  }
  function restarted(reason: "truncated" | "recreated" | "retention", where: Record<string, unknown>): void {
    metrics.restarts.inc({ reason });
    log.warn({ reason, ...where }, "the log is another one than before: what is in it is taken on anew");
  }
  /** Learns the topic's id. Another one than before: every partition is read from its beginning. */
  function topicIs(id: string | undefined): void {
    if (id === undefined || id === topicId) return;
    const isOther = topicId !== undefined;
    topicId = id;
    if (isOther) for (const owner of owned.values()) beginAnew(owner);
  }
  function beginAnew(owner: OwnedPartition): void {
    restarted("recreated", { partition: owner.partition, from: owner.offsets.position() });
    owner.offsets = createOffsetTracker(undefined, toldId, owner.inHand);
    owner.rewindTo = "beginning";
  }
  function cutAt(owner: OwnedPartition, to: number): void {
    const { partition, offsets } = owner;
    restarted("truncated", { partition, from: offsets.position(), to });
    offsets.cutAt(to);
  }
  return {
    owned,
    takeOn,
    /** The log was cut there, or above: it is read again from there. */
    readAgain(owner: OwnedPartition, to: number): void {
      cutAt(owner, to);
      owner.rewindTo = to;
    },
    /** Learns whether the topic is another one by now, which librdkafka asks by itself, and rewinds what has to be. */
    watchTopic(): void {
      topicIs(consumer.topicId());
      if (clock.nowMs() < rewindAtMs) return;
      for (const owner of owned.values()) {
        const { partition, paused, rewindTo } = owner;
        if (rewindTo === undefined || owner.leaving) continue;
        try {
          if (paused) consumer.resume([partition]);
          owner.paused = false;
          // Not by giving it up and taking it on: the group could take that for an answer to a demand of its own.
          consumer.rewind({ partition, offset: rewindTo, leaderEpoch: -1 });
          owner.rewindTo = undefined;
        } catch (error) {
          log.warn({ partition, err: error }, "not read again yet, trying again");
          // It waits, and it may not be the only one.
          rewindAtMs = clock.nowMs() + retryMs;
        }
      }
    },
    /** Takes a record on; undefined where it is not this consumer's any more, or is known as finished. */
    take(record: DeliveredRecord): Work | undefined {
      const { partition, offset } = record;
      const owner = owned.get(partition);
      if (!owner || owner.leaving || owner.rewindTo !== undefined) return undefined;
      const from = owner.offsets.position();
      if (owner.offsets.goesBack(offset)) cutAt(owner, offset);
      else if (from !== undefined && offset > from && consumer.watermarks(partition).low === offset)
        restarted("retention", { partition, from, to: offset });
      if (!owner.offsets.add(record)) return undefined;
      // Or what waits for long would keep in memory all that came with it.
      record.own();
      return new Work(record, owner, owner.offsets);
    },
  };
}
