/** Commits the finished part of each partition, one request at a time, and knows which failures are harmless. */
import type { Clock } from "../clock.ts";
import type { KafkaConsumer } from "../kafka/consumer.ts";
import type { Logger } from "../log.ts";
import type { HandlingMetrics } from "./metrics.ts";
import type { OwnedPartition } from "./ownership.ts";

/** A commit costs the brokers as much as an order's acknowledgement; what it leaves open comes again after a crash. */
const intervalMs = 250;
/** While partitions are given up, which waits for their commit. */
const urgentIntervalMs = 50;
const afterFailureMs = 500;
const timeoutMs = 10_000;

/**
 * Said of a commit of partitions that went to another member meanwhile: that one begins at the last committed
 * offset and the ledger recognises what it meets again. Source: librdkafka's error texts.
 */
const lostOwnership = /assignment lost|unknown member|fenced|not in an active group/i;
/** Said while the group agrees on a new generation: the same commit succeeds a little later. */
const betweenGenerations = /generation id|rebalance in progress/i;

const reasonOf = (message: string) =>
  lostOwnership.test(message) ? "lost" : betweenGenerations.test(message) ? "rebalance" : "other";

export function createCommitter(parts: {
  consumer: Pick<KafkaConsumer, "commit">;
  metrics: HandlingMetrics;
  log: Logger;
  clock: Clock;
}) {
  const { consumer, metrics, log, clock } = parts;
  let underWay = false;
  let notBeforeMs = 0;
  let lastMs = Number.NEGATIVE_INFINITY;

  const due = ({ offsets, lost }: OwnedPartition) => (lost ? undefined : offsets.due());

  /** Each partition with its log of now: what is acknowledged late must not count for the one after it. */
  const dueOf = (partitions: Iterable<OwnedPartition>) =>
    [...partitions].flatMap((owner) => {
      const commit = due(owner);
      return commit ? [{ owner, tracker: owner.offsets, commit }] : [];
    });

  async function send(commits: ReturnType<typeof dueOf>): Promise<void> {
    try {
      await consumer.commit(
        commits.map(({ owner: { partition }, commit }) => ({ partition, ...commit })),
        timeoutMs,
      );
      for (const { tracker, commit } of commits) tracker.acknowledged(commit);
      metrics.commits.inc();
    } catch (error) {
      const reason = reasonOf((error as Error).message);
      if (reason === "lost") for (const { owner } of commits) owner.lost = owner.leaving;
      metrics.commitFailures.inc({ reason });
      const level = reason === "rebalance" ? "debug" : "warn";
      log[level]({ reason, kafka: (error as Error).message }, "commit failed, nothing is lost by it");
      notBeforeMs = clock.nowMs() + (reason === "rebalance" ? urgentIntervalMs : afterFailureMs);
    }
  }

  return {
    /**
     * Sends a commit of whatever is due, unless one is under way or it is too soon.
     * @param urgent partitions are being given up
     */
    commit(partitions: Iterable<OwnedPartition>, urgent: boolean): void {
      const nowMs = clock.nowMs();
      const interval = urgent ? urgentIntervalMs : intervalMs;
      if (underWay || nowMs < notBeforeMs || nowMs < lastMs + interval) return;
      const commits = dueOf(partitions);
      if (commits.length === 0) return;
      underWay = true;
      lastMs = nowMs;
      void send(commits).finally(() => {
        underWay = false;
      });
    },
    /** Whether everything finished in these partitions is committed and no commit is under way. */
    settled: (partitions: OwnedPartition[]): boolean =>
      !underWay && partitions.every((owner) => due(owner) === undefined),
  };
}
