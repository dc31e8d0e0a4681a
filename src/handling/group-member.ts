/**
 * The consumer's loop: it polls without ever stopping, hands records to the scheduler, commits what is finished,
 * and meets the group's demands. Giving up partitions means: take in no more of them, finish what lies before records
 * that are finished already, for they could not be committed else, wait for what is running (both at most so long),
 * commit, and only then let go; so a clean hand-over redelivers nothing.
 */
import type { ConsumerConfig } from "../config.ts";
import type { KafkaConsumer, Rebalance } from "../kafka/consumer.ts";
import type { Logger } from "../log.ts";
import { createCommitter } from "./committer.ts";
import type { HandlingMetrics } from "./metrics.ts";
import { type OwnedPartition, ownPartition } from "./partitions.ts";
import type { createScheduler } from "./scheduler.ts";
import { type Work, workOf } from "./work.ts";

const pollRecords = 500;
/** Longest time without a look at commits, demands and gauges: they have no wake-up of their own. */
const idleMs = 20;
/** How often it is asked whether the handling still has enough to do: it may soon be done with it. */
const enoughMs = 5;
const afterErrorMs = 250;
const gaugesMs = 100;
/** Longer than a record waits that nothing holds up. */
const copiesMs = 2_000;
const lookUpTimeoutMs = 5_000;
/** Longest wait for running work and its commit before partitions are let go; far below max.poll.interval.ms. */
const revokeTimeoutMs = 10_000;
/** The part of it for closing gaps: what fails or hangs in one does not hold up the group for longer. */
const closeGapsTimeoutMs = 3_000;

/** An assignment may be on its way when the member leaves: nobody would answer it later, and closing would wait for that. */
const lastDemandsMs = 100;

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export type GroupMember = ReturnType<typeof createGroupMember>;

/** @param demands the group's demands, oldest first; the consumer's onRebalance appends to it */
export function createGroupMember(
  config: ConsumerConfig,
  parts: {
    consumer: KafkaConsumer;
    demands: Rebalance[];
    scheduler: ReturnType<typeof createScheduler<Work>>;
    metrics: HandlingMetrics;
    log: Logger;
  },
) {
  const { consumer, demands, scheduler, metrics, log } = parts;
  const owned = new Map<number, OwnedPartition>();
  const committer = createCommitter({ consumer, metrics, log });
  let releasing: { partitions: OwnedPartition[]; sinceMs: number } | undefined;
  let leaving = false;
  let leftAtMs = 0;
  let lastPollMs = performance.now();
  let gaugesAtMs = 0;
  let copiesAtMs = 0;

  function meetDemands(): void {
    if (releasing && !release(releasing)) return;
    const demand = demands.shift();
    if (!demand) return;
    metrics.rebalances.inc();
    log.info(demand, "rebalance");
    if (demand.kind === "assign") {
      for (const partition of demand.partitions) owned.set(partition, ownPartition(partition));
      consumer.assign(demand.partitions);
      void lookUpCommitted(demand.partitions.map((partition) => owned.get(partition) as OwnedPartition));
    } else {
      const partitions = demand.partitions.flatMap((partition) => owned.get(partition) ?? []);
      for (const partition of partitions) partition.leaving = true;
      scheduler.drop(({ owner, slot }) => owner.leaving && slot.offset > owner.offsets.newestBegun());
      releasing = { partitions, sinceMs: performance.now() };
    }
    metrics.owned.set(owned.size);
  }

  /** Where the group stands in partitions that are taken on, for the gauges: nothing waits for it. */
  async function lookUpCommitted(partitions: OwnedPartition[]): Promise<void> {
    try {
      const found = await consumer.committed(
        partitions.map(({ partition }) => partition),
        lookUpTimeoutMs,
      );
      // Where nothing is committed, reading begins at the beginning.
      for (const owner of partitions) owner.inherited = found.get(owner.partition) ?? 0;
    } catch (error) {
      log.warn({ kafka: (error as Error).message }, "the committed offsets are not known yet");
    }
  }

  /** Lets partitions go as soon as nothing of theirs runs and what is finished is committed. @returns whether done */
  function release({ partitions, sinceMs }: NonNullable<typeof releasing>): boolean {
    const forMs = performance.now() - sinceMs;
    const gaps = partitions.some(({ offsets, lost }) => offsets.hasGap() && !lost);
    if (gaps && forMs < closeGapsTimeoutMs) return false;
    if (partitions.some(({ revoked }) => !revoked.signal.aborted)) {
      for (const { revoked } of partitions) revoked.abort(new Error("the partition was taken away"));
      scheduler.drop(({ owner }) => owner.revoked.signal.aborted);
    }
    const late = forMs > revokeTimeoutMs;
    const running = partitions.some((partition) => partition.running > 0);
    if (!late && (running || !committer.settled(partitions))) return false;
    if (late) {
      log.warn({ running }, "letting partitions go before their work or commit was finished");
      for (const { stopped } of partitions) stopped.abort(new Error("the partition was taken away"));
    }
    const numbers = partitions.map(({ partition }) => partition);
    // librdkafka would keep them paused, also when they come back, for whoever owns them anew.
    const paused = partitions.flatMap((owner) => (owner.paused ? [owner.partition] : []));
    if (paused.length > 0) consumer.resume(paused);
    for (const partition of numbers) {
      owned.delete(partition);
      forget(partition);
    }
    consumer.unassign(numbers);
    metrics.owned.set(owned.size);
    metrics.revokeSeconds.observe((performance.now() - sinceMs) / 1_000);
    releasing = undefined;
    return true;
  }

  async function poll(): Promise<void> {
    // With a full batch for all and two to go on with it takes a single record now and then: that polls, and the others
    // wait with librdkafka, where they are smaller and what is fetched is bounded.
    const batch = config.LEDGER_BATCH_ORDERS;
    const enough = scheduler.inHand(batch) >= (config.HANDLER_CONCURRENCY + 2) * batch;
    const waitMs = enough ? enoughMs : idleMs;
    if (enough && performance.now() < lastPollMs + idleMs) return consumer.wait(waitMs);
    const { records, errors } = consumer.poll(enough ? 1 : pollRecords);
    lastPollMs = performance.now();
    for (const error of errors) log.warn({ kafka: error }, "poll failed, trying again");
    const works: Work[] = [];
    for (const record of records) {
      const owner = owned.get(record.partition);
      const slot = owner?.leaving ? undefined : owner?.offsets.add(record.offset);
      if (owner && slot) works.push(workOf(record, owner, slot));
    }
    if (works.length > 0) scheduler.push(works);
    // There may be more at once; work that is under way goes on in between.
    if (records.length + errors.length === pollRecords) await nextTurn();
    else await consumer.wait(errors.length > 0 ? afterErrorMs : waitMs);
  }

  /** Fetching stops for partitions with too much in hand, while polling goes on and so does membership. */
  function holdBack(): void {
    for (const owner of owned.values()) {
      if (owner.leaving) continue;
      const backlog = owner.offsets.uncovered();
      const wanted = owner.paused ? backlog > config.BACKLOG_RECORDS / 2 : backlog >= config.BACKLOG_RECORDS;
      if (wanted === owner.paused) continue;
      owner.paused = wanted;
      if (wanted) consumer.pause([owner.partition]);
      else consumer.resume([owner.partition]);
    }
  }

  /** What waits for long, behind a customer's order that is tried again, must not keep what came with it in memory. */
  function keepOnlyWhatWaits(): void {
    if (performance.now() < copiesAtMs) return;
    copiesAtMs = performance.now() + copiesMs;
    scheduler.eachWaiting(({ record }) => record.stillWaiting());
  }

  function setGauges(): void {
    if (performance.now() < gaugesAtMs) return;
    gaugesAtMs = performance.now() + gaugesMs;
    for (const { partition, offsets, committed: own, inherited, paused } of owned.values()) {
      const place = { topic: config.ORDERS_TOPIC, partition };
      const end = consumer.end(partition);
      const committed = own ?? inherited;
      const finished = offsets.committable() ?? committed;
      const position = offsets.position() ?? committed;
      metrics.paused.set(place, Number(paused));
      if (position !== undefined) metrics.position.set(place, position);
      if (committed !== undefined) metrics.committed.set(place, committed);
      if (end !== undefined) metrics.end.set(place, end);
      if (end !== undefined && finished !== undefined) metrics.lag.set(place, Math.max(0, end - finished));
    }
  }

  function forget(partition: number): void {
    const place = { topic: config.ORDERS_TOPIC, partition: String(partition) };
    for (const gauge of [metrics.paused, metrics.position, metrics.committed, metrics.end, metrics.lag])
      gauge.remove(place);
  }

  return {
    /** Runs until `leave`, and resolves when every partition is let go and the group is left. */
    async run(): Promise<void> {
      while (
        !leaving ||
        performance.now() < leftAtMs + lastDemandsMs ||
        owned.size > 0 ||
        demands.length > 0
      ) {
        meetDemands();
        holdBack();
        committer.commit(owned.values(), releasing !== undefined);
        setGauges();
        keepOnlyWhatWaits();
        await poll();
      }
    },
    /** Gives everything back, the way any revocation goes. */
    leave(): void {
      leaving = true;
      leftAtMs = performance.now();
      consumer.leave();
    },
    /** Milliseconds since the last poll ended. */
    sincePollMs: (): number => performance.now() - lastPollMs,
  };
}
