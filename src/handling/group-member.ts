/**
 * The consumer's loop: it polls without ever stopping, hands records to the scheduler, commits what is finished,
 * and meets the group's demands. Giving up partitions means: take in no more of them, begin no more, wait for what is
 * running, commit, with what is finished behind the committed offset, and only then let go (each wait is bounded); so a
 * clean hand-over redelivers nothing that is finished.
 */
import type { Clock } from "../clock.ts";
import type { ConsumerConfig } from "../config.ts";
import type { KafkaConsumer, Rebalance } from "../kafka/consumer.ts";
import type { Logger } from "../log.ts";
import { createCommitter } from "./committer.ts";
import type { HandlingMetrics } from "./metrics.ts";
import { createOwnership } from "./ownership.ts";
import type { OwnedPartition } from "./partitions.ts";
import type { createScheduler } from "./scheduler.ts";
import type { Work } from "./work.ts";

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

export type GroupMember = ReturnType<typeof createGroupMember>;

/** What a member is made of. `demands` are the group's, oldest first; the consumer's onRebalance appends to it. */
export type MemberParts = {
  consumer: KafkaConsumer;
  demands: Rebalance[];
  scheduler: ReturnType<typeof createScheduler<Work>>;
  metrics: HandlingMetrics;
  log: Logger;
  clock: Clock;
};

export function createGroupMember(config: ConsumerConfig, parts: MemberParts) {
  const { consumer, demands, scheduler, metrics, log, clock } = parts;
  const { owned, takeOn, take, watchTopic } = createOwnership(config, parts);
  const committer = createCommitter(parts);
  const gauges = createGauges(config, parts, owned);
  /** A member takes on, gives up or does neither; what is demanded meanwhile waits. */
  let takingOn = false;
  let releasing: { partitions: OwnedPartition[]; sinceMs: number } | undefined;
  let leaving = false;
  let leftAtMs = 0;
  let lastPollMs = clock.nowMs();
  let copiesAtMs = 0;

  function meetDemands(): void {
    if (takingOn || (releasing && !release(releasing))) return;
    const demand = demands.shift();
    if (!demand) return;
    metrics.rebalances.inc();
    log.info(demand, "rebalance");
    if (demand.kind === "assign") {
      takingOn = true;
      void takeOn(demand.partitions, () => leaving).finally(() => {
        takingOn = false;
      });
      return;
    }
    const partitions = demand.partitions.flatMap((partition) => owned.get(partition) ?? []);
    for (const owner of partitions) {
      owner.leaving = true;
      owner.revoked.abort(new Error("the partition was taken away"));
    }
    scheduler.drop(({ owner }) => owner.leaving);
    releasing = { partitions, sinceMs: clock.nowMs() };
  }

  /** Lets partitions go as soon as nothing of theirs runs and what is finished is committed. @returns whether done */
  function release({ partitions, sinceMs }: NonNullable<typeof releasing>): boolean {
    const forMs = clock.nowMs() - sinceMs;
    const late = forMs > revokeTimeoutMs;
    const running = partitions.some((partition) => partition.running > 0);
    if (!late && (running || !committer.settled(partitions))) return false;
    if (late) {
      log.warn({ running }, "letting partitions go before their work or commit was finished");
      for (const { stopped } of partitions) stopped.abort(new Error("the partition was taken away"));
    }
    // librdkafka would keep them paused, also when they come back, for whoever owns them anew.
    const paused = partitions.flatMap((owner) => (owner.paused ? [owner.partition] : []));
    if (paused.length > 0) consumer.resume(paused);
    for (const { partition } of partitions) {
      owned.delete(partition);
      gauges.forget(partition);
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
    const enough = scheduler.inHand(batch) >= (config.HANDLER_CONCURRENCY + 2) * batch;
    const waitMs = enough ? enoughMs : idleMs;
    if (enough && clock.nowMs() < lastPollMs + idleMs) return consumer.wait(waitMs);
    // Before the poll: what it brings comes from where reading begins anew, if it does.
    watchTopic();
    const { records, errors } = consumer.poll(enough ? 1 : pollRecords);
    lastPollMs = clock.nowMs();
    for (const error of errors) log.warn({ kafka: error }, "poll failed, trying again");
    const works = records.flatMap((record) => take(record) ?? []);
    if (works.length > 0) scheduler.push(works);
    // There may be more at once; work that is under way goes on in between.
    if (records.length + errors.length === pollRecords) await clock.nextTurn();
    else await consumer.wait(errors.length > 0 ? afterErrorMs : waitMs);
  }

  /** Fetching stops for partitions with too much in hand, while polling goes on and so does membership. */
  function holdBack(): void {
    const mostBytes = config.BACKLOG_BYTES / owned.size;
    for (const owner of owned.values()) {
      if (owner.leaving) continue;
      const { inHand, paused, partition } = owner;
      const full = Math.max(inHand.records / config.BACKLOG_RECORDS, inHand.bytes / mostBytes);
      const wanted = paused ? full > 1 / 2 : full >= 1;
      if (wanted === paused) continue;
      owner.paused = wanted;
      if (wanted) consumer.pause([partition]);
      else consumer.resume([partition]);
    }
  }

  /** What waits for long, behind a customer's order that is tried again, must not keep what came with it in memory. */
  function keepOnlyWhatWaits(): void {
    if (clock.nowMs() < copiesAtMs) return;
    copiesAtMs = clock.nowMs() + copiesMs;
    scheduler.eachWaiting(({ record }) => record.stillWaiting());
  }

  return {
    /** Runs until `leave`, and resolves when every partition is let go and the group is left. */
    async run(): Promise<void> {
      while (
        !leaving ||
        clock.nowMs() < leftAtMs + lastDemandsMs ||
        owned.size > 0 ||
        demands.length > 0 ||
        takingOn
      ) {
        meetDemands();
        holdBack();
        committer.commit(owned.values(), releasing !== undefined);
        gauges.set();
        keepOnlyWhatWaits();
        await poll();
      }
    },
    /** Gives everything back, the way any revocation goes. */
    leave(): void {
      leaving = true;
      leftAtMs = clock.nowMs();
      consumer.leave();
    },
    /** Milliseconds since the last poll ended. */
    sincePollMs: (): number => clock.nowMs() - lastPollMs,
    /** Milliseconds for which records were in hand and none was finished. */
    withoutProgressMs: gauges.withoutProgressMs,
  };
}

/** What is told of each partition, now and then. */
function createGauges(
  { ORDERS_TOPIC: topic }: ConsumerConfig,
  { consumer, metrics, clock }: MemberParts,
  owned: ReadonlyMap<number, OwnedPartition>,
) {
  let nextMs = 0;
  let finished = 0;
  let progressMs = clock.nowMs();

  return {
    set(): void {
      if (clock.nowMs() < nextMs) return;
      nextMs = clock.nowMs() + gaugesMs;
      let nowFinished = 0;
      let unfinished = 0;
      for (const { partition, offsets, paused } of owned.values()) {
        const place = { topic, partition };
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
        nowFinished += position - offsets.unfinished();
        unfinished += offsets.unfinished();
      }
      if (unfinished === 0 || nowFinished !== finished) progressMs = clock.nowMs();
      finished = nowFinished;
    },
    forget(partition: number): void {
      const place = { topic, partition: String(partition) };
      const { paused, position, committed, end, lag, oldest } = metrics;
      for (const gauge of [paused, position, committed, end, lag, oldest]) gauge.remove(place);
    },
    withoutProgressMs: (): number => clock.nowMs() - progressMs,
  };
}
