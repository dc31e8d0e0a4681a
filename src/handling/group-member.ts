/**
 * The consumer's loop: it polls without ever stopping, hands records to the processor, commits what is finished, and meets
 * the group's demands one after another. Between two polls it is in one of these states:
 * - owning: what it owns is read and handled.
 * - taking on: it asks from where, for partitions that it was assigned.
 * - releasing: of partitions that were revoked nothing more is begun; they are let go when what ran has ended, and what is finished
 *   is committed (each wait is bounded): so a clean hand-over redelivers none of that.
 */
import type { ConsumerConfig } from "../config.ts";
import type { KafkaConsumer, Rebalance } from "../kafka/consumer.ts";
import { whose } from "./attempt.ts";
import { createCommitter } from "./committer.ts";
import { tellOfPartitions } from "./metrics.ts";
import { createOwnership, type OwnershipParts } from "./ownership.ts";
import type { createProcessor } from "./processor.ts";
import type { OwnedPartition, Work } from "./work.ts";

type State = { is: "owning" | "taking on" } | { is: "releasing"; letGo: () => boolean };

const pollRecords = 500;
/** Longest time without a look at commits, demands and gauges, which have no wake-up; and with nothing in hand: 0.7 % of a core less. */
const [workingMs, idleMs] = [20, 100];
/** How often it is asked whether the handling still has enough to do: it may soon be done with it. */
const busyMs = 5;
/** Longest wait for running work and its commit before partitions are let go; far below max.poll.interval.ms. */
const [revokeTimeoutMs, stuckMs] = [10_000, 10_000];
/** Orders in hand and none finished: whatever holds them up, somebody should look. */
const noProgressS = 60;
/** Why it works on nothing, or not on all; since when: a rebalance takes a while; and until when: what lasts is said again. */
const settled = { why: "joining the group", fromMs: Infinity, toMs: 0 };

/** `demands` are the group's, oldest first; the consumer's onRebalance appends to it. */
type Parts = OwnershipParts & { demands: Rebalance[]; processor: ReturnType<typeof createProcessor> };
type Committer = ReturnType<typeof createCommitter>;

export function createGroupMember(config: ConsumerConfig, parts: Parts) {
  const { consumer, demands, processor, metrics, log, clock } = parts;
  const { owned, takeOn, take, watchLogs } = createOwnership(config, parts);
  const committer = createCommitter(parts);
  const release = createRelease(parts, owned, committer);
  tellOfPartitions(config.ORDERS_TOPIC, owned, parts);
  let state: State = { is: "owning" };
  let trouble = { ...settled, fromMs: 0, toMs: Infinity };
  const held = () => owned.values().reduce((sum, { inHand }) => sum + inHand.records, 0);
  let [leaving, heldBefore, polledAtMs, progressAtMs] = [false, 0, clock.nowMs(), clock.nowMs()];
  /** Who leaves gives all that it has back by itself; what the group still demands is met by whoever closes the consumer. */
  function nextDemand(): Rebalance | undefined {
    if (state.is === "releasing") return undefined;
    if (!leaving) return state.is === "owning" ? demands.shift() : undefined;
    return owned.size > 0 ? { kind: "revoke", partitions: [...owned.keys()] } : undefined;
  }
  function meetDemands(): void {
    if (state.is === "releasing" && state.letGo()) state = { is: "owning" };
    const demand = nextDemand();
    if (!demand) return;
    metrics.rebalances.inc();
    log.info(demand, "rebalance");
    trouble = { ...settled, fromMs: Math.min(trouble.fromMs, clock.nowMs() + stuckMs), toMs: Infinity };
    if (demand.kind === "revoke") state = { is: "releasing", letGo: release(demand.partitions) };
    else {
      state = { is: "taking on" };
      void takeOn(demand.partitions, () => leaving).finally(() => {
        trouble = settled;
        if (state.is === "taking on") state = { is: "owning" };
      });
    }
  }
  function poll(): number {
    // With enough in hand it takes one record now and then: that polls, and the others wait with librdkafka, where it is bounded.
    const batch = config.LEDGER_BATCH_ORDERS;
    const isBusy = processor.inHand(batch) >= (config.HANDLER_CONCURRENCY + 2) * batch;
    if (isBusy && clock.nowMs() < polledAtMs + workingMs) return busyMs;
    // Before the poll: what it brings comes from where reading begins anew, if it does.
    watchLogs();
    const { records, errors } = consumer.poll(isBusy ? 1 : pollRecords);
    polledAtMs = clock.nowMs();
    for (const error of errors) {
      if (error !== trouble.why || polledAtMs > trouble.toMs) log.warn({ kafka: error }, "poll failed");
      trouble = { why: error, fromMs: 0, toMs: Math.max(trouble.toMs, polledAtMs + stuckMs) };
    }
    const works = records.flatMap((record) => take(record) ?? []);
    if (works.length > 0) processor.push(works);
    heldBefore = held();
    // Until the next one: there may be more at once; work that is under way goes on in between.
    return records.length + errors.length === pollRecords ? 0 : isBusy ? busyMs : idleMs;
  }
  return {
    /** Runs until `leave`, and resolves when every partition is let go: the consumer's `close` leaves the group. */
    async run(): Promise<void> {
      while (!leaving || owned.size > 0) {
        if (held() === 0 || held() < heldBefore) progressAtMs = clock.nowMs();
        const waitMs = leaving && state.is === "owning" ? 0 : poll();
        meetDemands();
        holdBack(config, consumer, [...owned.values()]);
        committer.commit(owned.values(), state.is === "releasing");
        const mostMs = heldBefore > 0 || state.is !== "owning" ? Math.min(waitMs, workingMs) : waitMs;
        await (mostMs === 0 ? clock.nextTurn() : consumer.wait(mostMs));
      }
    },
    leave(): void {
      leaving = true;
    },
    unready(): string | undefined {
      if (clock.nowMs() - polledAtMs > stuckMs) return "the loop is stuck";
      const stillS = Math.round((clock.nowMs() - progressAtMs) / 1_000);
      if (stillS > noProgressS) return `no order was finished for ${stillS} s${processor.ledgerDown()}`;
      return clock.nowMs() >= trouble.fromMs && clock.nowMs() < trouble.toMs ? trouble.why : undefined;
    },
    waiting(id: string): Work | undefined {
      const works = owned.values().flatMap(({ waiting }) => waiting);
      return works.find(({ entry }) => entry.order.id === id);
    },
  };
}

/** @returns what ends the work of partitions that are demanded back. It gives what lets them go, and says whether it did. */
function createRelease(parts: Parts, owned: Map<number, OwnedPartition>, committer: Committer) {
  const { consumer, processor, metrics, log, clock } = parts;
  return (demanded: readonly number[]) => {
    const partitions = demanded.flatMap((partition) => owned.get(partition) ?? []);
    for (const { revoked, waiting } of partitions) {
      revoked.abort(new Error("the partition was taken away"));
      waiting.clear();
    }
    processor.drop(({ owner }) => owner.leaving);
    const sinceMs = clock.nowMs();
    // It does when nothing of theirs runs and what is finished is committed, or when that takes too long.
    return (): boolean => {
      const running = partitions.some((owner) => owner.running > 0);
      if (clock.nowMs() - sinceMs > revokeTimeoutMs) {
        log.warn({ running }, "letting partitions go before their work or commit was finished");
        for (const { stopped } of partitions)
          whose.run("handlers", () => stopped.abort(new Error("the partition was taken away")));
      } else if (running || !committer.settled(partitions)) return false;
      for (const { partition, paused } of partitions) {
        // librdkafka would keep it paused, also when it comes back, for whoever owns it anew.
        if (paused) consumer.resume([partition]);
        owned.delete(partition);
      }
      consumer.unassign(partitions.map(({ partition }) => partition));
      metrics.revokeSeconds.observe((clock.nowMs() - sinceMs) / 1_000);
      return true;
    };
  };
}

/** Fetching stops for partitions with too much in hand, while polling goes on and so does membership. */
function holdBack(config: ConsumerConfig, consumer: KafkaConsumer, owned: readonly OwnedPartition[]): void {
  const mostBytes = config.BACKLOG_BYTES / owned.length;
  for (const owner of owned) {
    const { inHand, paused, partition } = owner;
    const full = Math.max(inHand.records / config.BACKLOG_RECORDS, inHand.bytes / mostBytes);
    const wanted = paused ? full > 1 / 2 : full >= 1;
    if (wanted === paused || owner.leaving) continue;
    owner.paused = wanted;
    if (wanted) consumer.pause([partition]);
    else consumer.resume([partition]);
  }
}
