/** What the consumer tier tells of itself, and of each partition that it owns. */
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { Verdict } from "../ledger/ledger.ts";
import { latencyBucketsS, latencyHistogram } from "../metrics.ts";

export type HandlingMetrics = ReturnType<typeof createHandlingMetrics>;

/** Registers the metrics; every counter is there from the start, at zero. */
export function createHandlingMetrics(registry: Registry) {
  const registers = [registry];
  const counter = (name: string, help: string) => new Counter({ name, help, registers });
  const ofPartition = (name: string, help: string) =>
    new Gauge({ name, help, labelNames: ["topic", "partition"], registers });
  const verdicts: Record<Verdict, Counter> = {
    handled: counter("orders_handled_total", "Orders whose effect this consumer applied."),
    redelivered: counter("orders_redelivered_total", "Records delivered again that were handled already."),
    duplicate: counter("orders_duplicate_total", "Further records of an order that was handled already."),
    conflict: counter("orders_conflict_total", "Records with another order under a handled order's id."),
  };
  const commitFailures = new Counter({
    name: "kafka_commit_failures_total",
    help: "Commits that failed: of partitions lost meanwhile (harmless), during a rebalance (repeated), or otherwise.",
    labelNames: ["reason"],
    registers,
  });
  for (const reason of ["lost", "rebalance", "other"]) commitFailures.inc({ reason }, 0);

  const restarts = new Counter({
    name: "kafka_partition_restarts_total",
    help: "Logs that began anew under this consumer: cut (offsets went back), made anew (topic), or aged away.",
    labelNames: ["reason"],
    registers,
  });
  for (const reason of ["truncated", "recreated", "retention"]) restarts.inc({ reason }, 0);

  return {
    restarts,
    verdict: (verdict: Verdict, orders: number): void => verdicts[verdict].inc(orders),
    commitFailures,
    dead: counter("orders_dead_total", "Records given up and sent to the dead-letter topic."),
    retried: counter("orders_retried_total", "Attempts that failed and were put off."),
    rebalances: counter("kafka_rebalances_total", "Assignments and revocations of partitions."),
    commits: counter("kafka_commits_total", "Commits acknowledged by the group coordinator."),
    waiting: new Gauge({
      name: "orders_waiting",
      help: "Orders that wait: for a dependency of the handler, or for another attempt of their own.",
      labelNames: ["for"],
      registers,
    }),
    lettersWaiting: new Gauge({
      name: "letters_waiting",
      help: "Records that are given up and whose dead letter is not acknowledged yet.",
      registers,
    }),
    breakerOpen: new Gauge({
      name: "handler_breaker_open",
      help: "1 while handling is held back because it fails for all.",
      registers,
    }),
    handlerSeconds: latencyHistogram(
      registry,
      "order_handler_duration_seconds",
      "Time of one successful call of the handler.",
    ),
    revokeSeconds: new Histogram({
      name: "kafka_revocation_duration_seconds",
      help: "Time from the group's demand for partitions to their release.",
      buckets: latencyBucketsS,
      registers,
    }),
    owned: new Gauge({ name: "kafka_partitions_owned", help: "Partitions this consumer owns.", registers }),
    ledgerUp: new Gauge({ name: "ledger_up", help: "1 while the ledger does its part.", registers }),
    paused: ofPartition("kafka_partition_paused", "1 while the partition's backlog is full."),
    position: ofPartition("kafka_partition_position", "Offset after the newest record taken on."),
    committed: ofPartition("kafka_partition_committed", "Offset last committed by this consumer."),
    end: ofPartition("kafka_partition_end", "Offset at the end of the partition, as last fetched."),
    lag: ofPartition("kafka_partition_lag_records", "Records that are not finished."),
    oldest: ofPartition(
      "kafka_partition_oldest_unfinished_seconds",
      "Age of the oldest record that was taken on and is not finished; 0: none.",
    ),
  };
}
