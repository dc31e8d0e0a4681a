/** Commits the finished prefix of each partition, one request at a time, and knows which failures are harmless. */
import type { KafkaConsumer } from "../kafka/consumer.ts";
import type { Logger } from "../log.ts";
import type { HandlingMetrics } from "./metrics.ts";
import type { OwnedPartition } from "./partitions.ts";

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

export function createCommitter(parts: { consumer: KafkaConsumer; metrics: HandlingMetrics; log: Logger }) {
  const { consumer, metrics, log } = parts;
  let underWay = false;
  let notBeforeMs = 0;
  let lastMs = Number.NEGATIVE_INFINITY;

  /** The offset to commit, where it is ahead of what is committed. */
  const due = ({ offsets, committed, lost }: OwnedPartition): number | undefined => {
    const next = lost ? undefined : offsets.committable();
    return next !== undefined && next > (committed ?? -1) ? next : undefined;
  };

  async function send(partitions: OwnedPartition[]): Promise<void> {
    const offsets = new Map(partitions.map((owner) => [owner, due(owner) as number]));
    const request = consumer.commit(
      new Map([...offsets].map(([{ partition }, offset]) => [partition, offset])),
    );
    let timer: Timer | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    });
    try {
      await Promise.race([request, late]);
      for (const [owner, offset] of offsets) owner.committed = offset;
      metrics.commits.inc();
    } catch (error) {
      const reason = reasonOf((error as Error).message);
      if (reason === "lost") for (const owner of partitions) owner.lost = owner.leaving;
      metrics.commitFailures.inc({ reason });
      const level = reason === "rebalance" ? "debug" : "warn";
      log[level]({ reason, kafka: (error as Error).message }, "commit failed, nothing is lost by it");
      notBeforeMs = performance.now() + (reason === "rebalance" ? urgentIntervalMs : afterFailureMs);
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    /**
     * Sends a commit of whatever is due, unless one is under way or it is too soon.
     * @param urgent partitions are being given up
     */
    commit(partitions: Iterable<OwnedPartition>, urgent: boolean): void {
      const nowMs = performance.now();
      const interval = urgent ? urgentIntervalMs : intervalMs;
      if (underWay || nowMs < notBeforeMs || nowMs < lastMs + interval) return;
      const dirty = [...partitions].filter((owner) => due(owner) !== undefined);
      if (dirty.length === 0) return;
      underWay = true;
      lastMs = nowMs;
      void send(dirty).finally(() => {
        underWay = false;
      });
    },
    /** Whether everything finished in these partitions is committed and no commit is under way. */
    settled: (partitions: OwnedPartition[]): boolean =>
      !underWay && partitions.every((owner) => due(owner) === undefined),
  };
}
