/** Commits the finished part of each partition, one request at a time, and knows which failures are harmless. */
import type { OwnershipParts } from "./ownership.ts";
import type { OwnedPartition } from "./work.ts";

/** A commit costs the brokers as much as an order's acknowledgement; what it leaves open comes again after a crash. */
const intervalMs = 250;
/** While partitions are given up, which waits for their commit. */
const urgentIntervalMs = 50;
const [afterFailureMs, timeoutMs] = [500, 10_000];
/** librdkafka's. Lost: to another member, who begins at the last commit. During a rebalance: it succeeds a little later. */
const words = {
  lost: /assignment lost|unknown member|fenced|not in an active group/i,
  rebalance: /generation id|rebalance in progress/i,
  tooLong: /metadata string too large/i,
};

export function createCommitter({ consumer, metrics, log, clock }: OwnershipParts) {
  let [underWay, notBeforeMs] = [false, 0];
  let lastMs = Number.NEGATIVE_INFINITY;
  /** Each partition with its log of now: what is acknowledged late must not count for the one after it. */
  const dueOf = (partitions: Iterable<OwnedPartition>) =>
    [...partitions].flatMap((owner) => {
      const { partition, offsets } = owner;
      const due = owner.lost ? undefined : offsets.due();
      return due ? [{ owner, offsets, commit: { partition, ...due } }] : [];
    });
  async function send(dues: ReturnType<typeof dueOf>): Promise<void> {
    underWay = true;
    lastMs = clock.nowMs();
    try {
      const commits = dues.map(({ commit }) => commit);
      await consumer.commit(commits, timeoutMs);
      for (const { offsets, commit } of dues) offsets.acknowledged(commit);
      metrics.commits.inc();
    } catch (error) {
      const kafka = (error as Error).message;
      const reason = (["lost", "rebalance"] as const).find((one) => words[one].test(kafka)) ?? "other";
      if (words.tooLong.test(kafka)) for (const { offsets } of dues) offsets.shorten();
      if (reason === "lost") for (const { owner } of dues) owner.lost = owner.leaving;
      metrics.commitFailures.inc({ reason });
      const level = reason === "rebalance" ? "debug" : "warn";
      log[level]({ reason, kafka }, "commit failed, nothing is lost by it");
      notBeforeMs = clock.nowMs() + (reason === "rebalance" ? urgentIntervalMs : afterFailureMs);
    } finally {
      underWay = false;
    }
  }
  return {
    /** Commits what is due, unless a commit is under way or it is too soon. @param urgent partitions are given up */
    commit(partitions: Iterable<OwnedPartition>, urgent: boolean): void {
      const dueAtMs = Math.max(notBeforeMs, lastMs + (urgent ? urgentIntervalMs : intervalMs));
      if (underWay || clock.nowMs() < dueAtMs) return;
      const dues = dueOf(partitions);
      if (dues.length > 0) void send(dues);
    },
    settled: (partitions: OwnedPartition[]): boolean => !underWay && dueOf(partitions).length === 0,
  };
}
