/**
 * Which partitions are owned, and whether their logs are still the same ones. A record is known by its topic's id, its
 * leader's epoch and its offset (KIP-320, KIP-516): where a log was cut, or the topic made anew, everything that is in it
 * now is taken on, whatever was done under the same numbers before. librdkafka finds a cut by the epoch and reads on from
 * there; that a topic is another one only its id tells, once it has grown beyond the old place.
 */
import type { Clock } from "../clock.ts";
import type { ConsumerConfig } from "../config.ts";
import type { KafkaConsumer } from "../kafka/consumer.ts";
import type { DeliveredRecord } from "../kafka/fetched.ts";
import type { CommittedOffset } from "../kafka/places.ts";
import type { Logger } from "../log.ts";
import type { HandlingMetrics } from "./metrics.ts";
import { createOffsetTracker, topicOf } from "./offsets.ts";
import { type OwnedPartition, ownPartition } from "./partitions.ts";
import { type Work, workOf } from "./work.ts";

const lookUpTimeoutMs = 5_000;
const retryMs = 500;
const noTopicId = "-";

export function createOwnership(
  config: ConsumerConfig,
  parts: { consumer: KafkaConsumer; metrics: HandlingMetrics; log: Logger; clock: Clock },
) {
  const { consumer, metrics, log, clock } = parts;
  const owned = new Map<number, OwnedPartition>();
  let topicId: string | undefined;

  /** Looks up where the group stands, for as long as it takes or until the group is left, and takes partitions on. */
  async function takeOn(partitions: readonly number[], isLeaving: () => boolean): Promise<void> {
    for (;;) {
      try {
        const committed = await consumer.committed(partitions, lookUpTimeoutMs);
        const id = consumer.topicId();
        if (id === undefined && [...committed.values()].some((start) => topicOf(start) !== undefined))
          throw new Error(`the id of ${config.ORDERS_TOPIC} is not told`);
        return begin(partitions, committed, id);
      } catch (error) {
        log.warn({ kafka: (error as Error).message }, "it is not known yet where the group stands");
        // What was demanded has to be met, or the group can't be left.
        if (isLeaving()) return begin(partitions, undefined, topicId);
        await clock.sleep(retryMs);
      }
    }
  }

  /** @param committed undefined: not known, reading begins there all the same */
  function begin(
    partitions: readonly number[],
    committed: ReadonlyMap<number, CommittedOffset> | undefined,
    id: string | undefined,
  ): void {
    topicIs(id);
    const starts = partitions.map((partition) => {
      let start = committed?.get(partition);
      const of = start && topicOf(start);
      if (of !== undefined && of !== id) {
        restarted("recreated", { partition, from: start?.offset });
        start = undefined;
      }
      owned.set(partition, ownPartition(partition, createOffsetTracker(start, id ?? noTopicId)));
      const offset = start?.offset ?? (committed ? "beginning" : "committed");
      return { partition, offset, leaderEpoch: start?.leaderEpoch ?? -1 } as const;
    });
    consumer.assign(starts);
    metrics.owned.set(owned.size);
  }

  function restarted(reason: "truncated" | "recreated" | "retention", where: Record<string, unknown>): void {
    metrics.restarts.inc({ reason });
    log.warn({ reason, ...where }, "the log is another one than before: what is in it is taken on anew");
  }

  /** Learns the topic's id. Another one than before: every partition is read from its beginning. */
  function topicIs(id: string | undefined): void {
    if (id === undefined) return;
    const anew = topicId !== undefined && topicId !== id;
    topicId = id;
    if (!anew) return;
    const owners = [...owned.values()].filter(({ leaving }) => !leaving);
    for (const owner of owners) {
      restarted("recreated", { partition: owner.partition, from: owner.offsets.position() });
      owner.offsets = createOffsetTracker(undefined, id);
      if (owner.paused) consumer.resume([owner.partition]);
      owner.paused = false;
    }
    if (owners.length > 0) consumer.restart(owners.map(({ partition }) => partition));
  }

  return {
    owned,
    takeOn,
    /** Learns whether the topic is another one by now; costs nothing, librdkafka asks the brokers by itself. */
    watchTopic: () => topicIs(consumer.topicId()),
    /** Takes a record on; undefined where it is not this consumer's any more, or is known as finished. */
    take(record: DeliveredRecord): Work | undefined {
      const { partition, offset, leaderEpoch, bytes, timestampMs } = record;
      const owner = owned.get(partition);
      if (!owner || owner.leaving) return undefined;
      const from = owner.offsets.position();
      if (owner.offsets.goesBack(offset)) {
        restarted("truncated", { partition, from, to: offset });
        owner.offsets = createOffsetTracker(undefined, topicId ?? noTopicId);
      } else if (from !== undefined && offset > from && consumer.watermarks(partition).low === offset)
        restarted("retention", { partition, from, to: offset });
      const slot = owner.offsets.add(offset, leaderEpoch, bytes, timestampMs);
      return slot && workOf(record, owner, slot);
    },
  };
}
