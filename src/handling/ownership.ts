/** Which partitions are owned, and whether their logs are still the same: where one is not, all in it is taken on. */
import type { ConsumerConfig } from "../config.ts";
import type { KafkaConsumer } from "../kafka/consumer.ts";
import type { DeliveredRecord } from "../kafka/fetched.ts";
import type { CommittedOffset, Start } from "../kafka/places.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Logger } from "../runtime/log.ts";
import type { HandlingMetrics } from "./metrics.ts";
import { createOffsetTracker, type Mark, topicOf } from "./offsets.ts";
import { type OwnedPartition, ownPartition, Work } from "./work.ts";

const [lookUpTimeoutMs, retryMs] = [5_000, 500];
/** Brokers that start again are away for longer: so there is a mark between what was taken before and after. */
const markEveryMs = 1_000;
/** From a record's timestamp to its place in the log: a delivery's longest time, and clocks that differ. */
const lateMs = 120_000;

/** What a member works with, whatever becomes of the records. */
export type OwnershipParts = { consumer: KafkaConsumer; metrics: HandlingMetrics; log: Logger; clock: Clock };
type Owned = ReadonlyMap<number, OwnedPartition>;
type CutAt = (owner: OwnedPartition, to: number) => void;

export function createOwnership(config: ConsumerConfig, parts: OwnershipParts) {
  const { consumer, metrics, log, clock } = parts;
  const owned = new Map<number, OwnedPartition>();
  let topicId: string | undefined;
  const toldId = () => topicId ?? "-";
  /** Takes partitions on from where the group stands, which may also demand that nothing is taken on. */
  async function takeOn(partitions: readonly number[], isLeaving: () => boolean): Promise<void> {
    while (!isLeaving()) {
      try {
        const asks = partitions.length > 0;
        const committed = asks ? await consumer.committed(partitions, lookUpTimeoutMs) : undefined;
        if (isLeaving()) return;
        const id = consumer.topicId();
        if (id === undefined && committed?.values().some((start) => topicOf(start) !== undefined))
          throw new Error(`the id of ${config.ORDERS_TOPIC} is not told`);
        topicIs(id);
        consumer.assign(partitions.map((partition) => own(partition, committed?.get(partition))));
        return;
      } catch (error) {
        log.warn({ kafka: (error as Error).message }, "partitions can't be taken on yet");
        await clock.sleep(retryMs);
      }
    }
  }
  function own(partition: number, committed: CommittedOffset | undefined): Start {
    const of = committed && topicOf(committed);
    const isOther = of !== undefined && of !== topicId;
    if (isOther) restarted("recreated", { partition, from: committed?.offset });
    const start = isOther ? undefined : committed;
    owned.set(partition, ownPartition(partition, start, toldId));
    return { partition, offset: start?.offset ?? "beginning", leaderEpoch: start?.leaderEpoch ?? -1 };
  }
  function restarted(reason: "truncated" | "recreated" | "retention", where: Record<string, unknown>): void {
    metrics.restarts.inc({ reason });
    log.warn({ reason, ...where }, "the log is another one than before: what is in it is taken on anew");
  }
  /** Learns the topic's id. Another one than before: every partition is read from its beginning. */
  function topicIs(id: string | undefined): void {
    if (id === undefined || id === topicId) return;
    const ofAnother = topicId === undefined ? [] : owned.values();
    topicId = id;
    for (const owner of ofAnother) {
      restarted("recreated", { partition: owner.partition, from: owner.offsets.position() });
      owner.offsets = createOffsetTracker(undefined, toldId, owner.inHand);
      owner.rewindTo = "beginning";
    }
  }
  function cutAt({ partition, offsets }: OwnedPartition, to: number): void {
    restarted("truncated", { partition, from: offsets.position(), to });
    offsets.cutAt(to);
  }
  const checkLogs = createLogCheck(parts, owned, cutAt);
  const rewind = createRewinds(parts, owned);
  return {
    owned,
    takeOn,
    /** Learns whether logs were cut, or the topic is another one by now, which librdkafka asks by itself; and rewinds them. */
    watchLogs(): void {
      topicIs(consumer.topicId());
      checkLogs();
      rewind();
    },
    /** Takes a record on; undefined where it is not this consumer's any more, or is known as finished. */
    take(record: DeliveredRecord): Work | undefined {
      const { partition, offset, timestampMs } = record;
      const owner = owned.get(partition);
      if (!owner || owner.leaving) return undefined;
      // Where the log was cut below that place, this may be all that tells.
      if (typeof owner.rewindTo === "number") owner.rewindTo = Math.min(owner.rewindTo, offset);
      if (owner.rewindTo !== undefined) return undefined;
      const from = owner.offsets.position();
      if (owner.offsets.goesBack(offset)) cutAt(owner, offset);
      else if (from !== undefined && offset > from && consumer.watermarks(partition).lowOffset === offset)
        restarted("retention", { partition, from, to: offset });
      // Fetched before brokers were away, it may come just before what is there since.
      if (timestampMs > Math.max(owner.offsets.newestMs() + markEveryMs, clock.epochMs() - lateMs))
        owner.offsets.mark();
      if (!owner.offsets.add(record)) return undefined;
      // Or what waits for long would keep in memory all that came with it.
      record.own();
      return new Work(record, owner, owner.offsets);
    },
  };
}

/** @returns what has those partitions read again that have to be; where that fails, later */
function createRewinds({ consumer, log, clock }: OwnershipParts, owned: Owned) {
  let notBeforeMs = 0;
  return (): void => {
    if (clock.nowMs() < notBeforeMs) return;
    for (const owner of owned.values()) {
      const { partition, paused, rewindTo } = owner;
      if (rewindTo === undefined || owner.leaving) continue;
      try {
        if (paused) consumer.resume([partition]);
        owner.paused = false;
        // Compared with the leader's epoch, as no assignment is; and the group could take one for an answer to its demand.
        consumer.rewind({ partition, offset: rewindTo, leaderEpoch: owner.offsets.epoch() });
        owner.rewindTo = undefined;
      } catch (error) {
        log.warn({ partition, err: error }, "not read again yet, trying again");
        // It waits, and it may not be the only one.
        notBeforeMs = clock.nowMs() + retryMs;
      }
    }
  };
}

type Marked = { owner: OwnedPartition; partition: number; mark: Mark };

/**
 * Brokers that all lost the end of a log and came back in the same leader epoch give its offsets to other records, and once it
 * is longer than before, a reader's position looks right (KIP-320 compares epochs). But the first record that is newer than all
 * of a log up to a mark can't lie before that mark. @param cutAt told where a log was cut: there, or above it
 * @returns what marks where the logs are, and checks what was marked before, twice as often: records bring marks, too; it never waits
 */
function createLogCheck({ consumer, log, clock }: OwnershipParts, owned: Owned, cutAt: CutAt) {
  let [underWay, notBeforeMs, marks] = [false, 0, false];
  /** One without a leader has the look-up fail for all: then each is asked for by itself. */
  async function check(all: readonly Marked[]): Promise<void> {
    function ask(marked: readonly Marked[], afterMs: number) {
      const ofMs = marked.map((one) => [one.partition, Math.max(0, one.mark.newestMs + afterMs)] as const);
      return consumer.offsetsOf(new Map(ofMs), lookUpTimeoutMs);
    }
    try {
      const newer = await ask(all, 1);
      const isCut = ({ owner, partition, mark }: Marked) => owner.offsets.check(mark, newer.get(partition));
      const cut = all.filter(isCut);
      // What was under way when it was cut comes first, and may be older.
      const late = cut.length > 0 ? await ask(cut, -lateMs) : newer;
      // By now it may be given up, or another log; where it is not told from where, it is asked again.
      for (const one of cut) {
        const from = late.get(one.partition);
        if (from === undefined || one.owner.leaving || !isCut(one)) continue;
        one.owner.rewindTo = Math.max(0, from);
        cutAt(one.owner, one.owner.rewindTo);
      }
    } catch (error) {
      if (all.length > 1) for (const one of all) await check([one]);
      else log.debug({ kafka: (error as Error).message }, "not known whether a log was cut, asking again");
    }
  }
  return (): void => {
    if (clock.nowMs() < notBeforeMs) return;
    notBeforeMs = clock.nowMs() + markEveryMs / 2;
    marks = !marks;
    if (marks) for (const { offsets } of owned.values()) offsets.mark();
    const unchecked = [...owned.values()].flatMap((owner) => {
      const mark = owner.leaving ? undefined : owner.offsets.unchecked();
      return mark ? [{ owner, partition: owner.partition, mark }] : [];
    });
    if (underWay || unchecked.length === 0) return;
    underWay = true;
    void check(unchecked).finally(() => {
      underWay = false;
    });
  };
}
