/**
 * The consumer's loop: it polls without ever stopping, hands records to the processor, commits what is finished, and
 * meets the group's demands. It lets partitions go when no more of them is begun, what ran has ended and all that is
 * finished is committed (each wait is bounded): so a clean hand-over redelivers nothing that is finished.
 */

import type { ConsumerConfig } from "../config.ts";
import type { Rebalance } from "../kafka/consumer.ts";
import { createCommitter } from "./committer.ts";
import { createOwnership, type OwnershipParts } from "./ownership.ts";
import type { createProcessor } from "./processor.ts";
import type { OwnedPartition, Work } from "./work.ts";

const pollRecords = 500;
/** Longest time without a look at commits, demands and gauges: they have no wake-up of their own. */
const idleMs = 20;
/** How often it is asked whether the handling still has enough to do: it may soon be done with it. */
const enoughMs = 5;
const afterErrorMs = 250;
const gaugesMs = 100;
/** Longer than a record waits that nothing holds up. */
const copiesMs = 2_000;
/** Longest wait for running work and its commit before partitions are let go; far below max.poll.interval.ms. */
const revokeTimeoutMs = 10_000;
/** An assignment may be on its way when the member leaves: nobody would answer it later, and closing would wait for that. */
const lastDemandsMs = 100;

/** What a member is made of. `demands` are the group's, oldest first; the consumer's onRebalance appends to it. */
export type MemberParts = OwnershipParts & {
  demands: Rebalance[];
  processor: ReturnType<typeof createProcessor>;
};

export function createGroupMember(config: ConsumerConfig, parts: MemberParts) {
  const { consumer, demands, processor, metrics, log, clock } = parts;
  const { owned, takeOn, take, watchTopic } = createOwnership(config, parts);
  const committer = createCommitter(parts);
  /** A member takes on, gives up or does neither; what is demanded meanwhile waits. */
  let takingOn = false;
  let releasing: { partitions: OwnedPartition[]; sinceMs: number } | undefined;
  let leftAtMs = Number.POSITIVE_INFINITY;
  let polledAtMs = clock.nowMs();
  let idleAtMs = polledAtMs;
  let gaugesAtMs = 0;
  let copiesAtMs = 0;

  function meetDemands(): void {
    if (takingOn || (releasing && !release(releasing))) return;
    const demand = demands.shift();
    if (!demand) return;
    metrics.rebalances.inc();
    log.info(demand, "rebalance");
    if (demand.kind === "assign") {
      takingOn = true;
      void takeOn(demand.partitions, () => leftAtMs < Number.POSITIVE_INFINITY).finally(() => {
        takingOn = false;
      });
      return;
    }
    const partitions = demand.partitions.flatMap((partition) => owned.get(partition) ?? []);
    for (const { revoked, waiting } of partitions) {
      revoked.abort(new Error("the partition was taken away"));
      for (const { waitsFor } of waiting) metrics.waiting.dec({ for: waitsFor });
      waiting.clear();
    }
    processor.drop(({ owner }) => owner.leaving);
    releasing = { partitions, sinceMs: clock.nowMs() };
  }

  /** Lets partitions go as soon as nothing of theirs runs and what is finished is committed. @returns whether done */
  function release({ partitions, sinceMs }: NonNullable<typeof releasing>): boolean {
    const forMs = clock.nowMs() - sinceMs;
    const running = partitions.some((owner) => owner.running > 0);
    if (forMs > revokeTimeoutMs) {
      log.warn({ running }, "letting partitions go before their work or commit was finished");
      for (const { stopped } of partitions) stopped.abort(new Error("the partition was taken away"));
    } else if (running || !committer.settled(partitions)) return false;
    // librdkafka would keep them paused, also when they come back, for whoever owns them anew.
    const paused = partitions.flatMap((owner) => (owner.paused ? [owner.partition] : []));
    if (paused.length > 0) consumer.resume(paused);
    for (const { partition } of partitions) {
      owned.delete(partition);
      const { paused, position, committed, end, lag, oldest } = metrics;
      for (const gauge of [paused, position, committed, end, lag, oldest])
        gauge.remove({ topic: config.ORDERS_TOPIC, partition });
    }
    consumer.unassign(partitions.map(({ partition }) => partition));
    metrics.owned.set(owned.size);
    metrics.revokeSeconds.observe(forMs / 1_000);
    releasing = undefined;
    return true;
  }

  async function poll(): Promise<void> {
    // With a full batch for all and two to go on with it takes a single record now and then: that polls, and the others
    // wait with librdkafka, where they are smaller and what is fetched is bounded.
    const batch = config.LEDGER_BATCH_ORDERS;
    const enough = processor.inHand(batch) >= (config.HANDLER_CONCURRENCY + 2) * batch;
    const waitMs = enough ? enoughMs : idleMs;
    if (enough && clock.nowMs() < polledAtMs + idleMs) return consumer.wait(waitMs);
    // Before the poll: what it brings comes from where reading begins anew, if it does.
    watchTopic();
    const { records, errors } = consumer.poll(enough ? 1 : pollRecords);
    polledAtMs = clock.nowMs();
    for (const error of errors) log.warn({ kafka: error }, "poll failed, trying again");
    const works = records.flatMap((record) => take(record) ?? []);
    if (works.length > 0) processor.push(works);
    // There may be more at once; work that is under way goes on in between.
    if (records.length + errors.length === pollRecords) await clock.nextTurn();
    else await consumer.wait(errors.length > 0 ? afterErrorMs : waitMs);
  }

  /** Fetching stops for partitions with too much in hand, while polling goes on and so does membership. */
  function holdBack(): void {
    const mostBytes = config.BACKLOG_BYTES / owned.size;
    for (const owner of owned.values()) {
      const { inHand, paused, partition } = owner;
      const full = Math.max(inHand.records / config.BACKLOG_RECORDS, inHand.bytes / mostBytes);
      const wanted = paused ? full > 1 / 2 : full >= 1;
      if (wanted === paused || owner.leaving) continue;
      owner.paused = wanted;
      if (wanted) consumer.pause([partition]);
      else consumer.resume([partition]);
    }
  }

  /** What waits for long, behind a customer's order that is tried again, must not keep what came with it in memory. */
  function keepOnlyWhatWaits(): void {
    if (clock.nowMs() < copiesAtMs) return;
    copiesAtMs = clock.nowMs() + copiesMs;
    for (const { record } of processor.waiting()) record.stillWaiting();
  }

  /** What is told of each partition, now and then. */
  function setGauges(): void {
    if (clock.nowMs() < gaugesAtMs) return;
    gaugesAtMs = clock.nowMs() + gaugesMs;
    for (const { partition, offsets, paused } of owned.values()) {
      const place = { topic: config.ORDERS_TOPIC, partition };
      const { end } = consumer.watermarks(partition);
      const committed = offsets.committed() ?? 0;
      const position = offsets.position() ?? committed;
      const oldestMs = offsets.oldest()?.timestampMs ?? -1;
      metrics.paused.set(place, Number(paused));
      metrics.position.set(place, position);
      metrics.committed.set(place, committed);
      metrics.oldest.set(place, oldestMs < 0 ? 0 : Math.max(0, clock.epochMs() - oldestMs) / 1_000);
      if (end >= 0) metrics.end.set(place, end);
      if (end >= 0) metrics.lag.set(place, Math.max(0, end - position) + offsets.unfinished());
    }
  }

  return {
    /** Runs until `leave`, and resolves when every partition is let go and the group is left. */
    async run(): Promise<void> {
      const mayBeAsked = () => clock.nowMs() < leftAtMs + lastDemandsMs || demands.length > 0;
      while (mayBeAsked() || takingOn || owned.size > 0) {
        meetDemands();
        holdBack();
        committer.commit(owned.values(), releasing !== undefined);
        setGauges();
        keepOnlyWhatWaits();
        if (owned.values().every(({ inHand }) => inHand.records === 0)) idleAtMs = clock.nowMs();
        await poll();
      }
    },
    /** Gives everything back, the way any revocation goes. */
    leave(): void {
      leftAtMs = clock.nowMs();
      consumer.leave();
    },
    /** Milliseconds since the last poll ended. */
    sincePollMs: (): number => clock.nowMs() - polledAtMs,
    /** Milliseconds for which records were in hand and none was finished. */
    withoutProgressMs: (): number => clock.nowMs() - Math.max(idleAtMs, processor.finishedAtMs()),
    /** An order that waits for another attempt. */
    waiting: (id: string): Work | undefined =>
      owned
        .values()
        .flatMap(({ waiting }) => waiting)
        .find(({ entry }) => entry.order.id === id),
  };
}
