/** What the consumer tier tells of itself, and of each partition that it owns. */
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { Verdict } from "../ledger/ledger.ts";
import { latencyBucketsS, latencyHistogram } from "../runtime/metrics.ts";

export type HandlingMetrics = ReturnType<typeof createHandlingMetrics>;

/** Registers the metrics; every counter is there from the start, at zero. */
export function createHandlingMetrics(registry: Registry) {
  const registers = [registry];
  function counter(name: string, help: string, reasons: readonly string[] = []): Counter {
    const counter = new Counter({ name, help, labelNames: reasons.length > 0 ? ["reason"] : [], registers });
    for (const reason of reasons) counter.inc({ reason }, 0);
    return counter;
  }
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name, help, labelNames, registers });
  const ofPartition = (name: string, help: string) => gauge(name, help, ["topic", "partition"]);
  const verdicts: Record<Verdict, Counter> = {
    handled: counter("orders_handled_total", "Orders whose effect this consumer applied."),
    redelivered: counter("orders_redelivered_total", "Records delivered again that were handled already."),
    duplicate: counter("orders_duplicate_total", "Further records of an order that was handled already."),
    conflict: counter("orders_conflict_total", "Records with another order under a handled order's id."),
  };

  return {
    verdict: (verdict: Verdict, orders: number): void => verdicts[verdict].inc(orders),
    restarts: counter(
      "kafka_partition_restarts_total",
      "Logs that began anew under this consumer: cut (offsets went back), made anew (topic), or aged away.",
      ["truncated", "recreated", "retention"],
    ),
    commitFailures: counter(
      "kafka_commit_failures_total",
      "Commits that failed: of partitions lost meanwhile (harmless), during a rebalance (repeated), or otherwise.",
      ["lost", "rebalance", "other"],
    ),
    dead: counter("orders_dead_total", "Records given up and sent to the dead-letter topic."),
    retried: counter("orders_retried_total", "Attempts that failed and were put off."),
    rebalances: counter("kafka_rebalances_total", "Assignments and revocations of partitions."),
    commits: counter("kafka_commits_total", "Commits acknowledged by the group coordinator."),
    waiting: gauge(
      "orders_waiting",
      "Orders that wait: for a dependency of the handler, or for another attempt of their own.",
      ["for"],
    ),
    lettersWaiting: gauge("letters_waiting", "Records given up whose dead letter is not acknowledged yet."),
    breakerOpen: gauge("handler_breaker_open", "1 while handling is held back because it fails for all."),
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
    owned: gauge("kafka_partitions_owned", "Partitions this consumer owns."),
    ledgerUp: gauge("ledger_up", "1 while the ledger does its part."),
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
