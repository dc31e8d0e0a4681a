/** What the consumer tier tells of itself, and of each partition that it owns. */
import { Counter, Gauge, type Registry } from "prom-client";
import type { KafkaConsumer } from "../kafka/consumer.ts";
import type { Verdict } from "../ledger/ledger.ts";
import type { Clock } from "../runtime/clock.ts";
import { latencyHistogram } from "../runtime/metrics.ts";
import type { OwnedPartition } from "./work.ts";

export type HandlingMetrics = ReturnType<typeof createHandlingMetrics>;

/** Every counter is there from the start, at zero. */
export function createHandlingMetrics(registry: Registry) {
  const registers = [registry];
  function counter(name: string, help: string, reasons: readonly string[] = []): Counter {
    const counter = new Counter({ name, help, labelNames: reasons.length > 0 ? ["reason"] : [], registers });
    for (const reason of reasons) counter.inc({ reason }, 0);
    return counter;
  }
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name, help, labelNames, registers });
  const seconds = (name: string, help: string) => latencyHistogram(registry, name, help);
  const ofPartition = (name: string, help: string) => gauge(name, help, ["topic", "partition"]);
  return {
    verdicts: {
      handled: counter("orders_handled_total", "Orders whose effect this consumer applied."),
      redelivered: counter("orders_redelivered_total", "Records delivered again that were handled already."),
      duplicate: counter("orders_duplicate_total", "Further records of an order that was handled already."),
      conflict: counter("orders_conflict_total", "Records with another order under a handled order's id."),
    } satisfies Record<Verdict, Counter>,
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
    owned: gauge("kafka_partitions_owned", "Partitions this consumer owns."),
    waiting: gauge("orders_waiting", "Orders that wait: for a dependency, or another attempt.", ["for"]),
    lettersWaiting: gauge("letters_waiting", "Records given up whose dead letter is not acknowledged yet."),
    breakerOpen: gauge("handler_breaker_open", "1 while handling is held back because it fails for all."),
    handlerSeconds: seconds("order_handler_duration_seconds", "Time of one successful call of the handler."),
    revokeSeconds: seconds("kafka_revocation_duration_seconds", "From demand for partitions to release."),
    ledgerUp: gauge("ledger_up", "1 while the ledger does its part."),
    paused: ofPartition("kafka_partition_paused", "1 while the partition's backlog is full."),
    position: ofPartition("kafka_partition_position", "Offset after the newest record taken on."),
    committed: ofPartition("kafka_partition_committed", "Offset last committed by this consumer."),
    lag: ofPartition("kafka_partition_lag_records", "Records that are not finished, as of the last fetch."),
    oldest: ofPartition("kafka_partition_oldest_unfinished_seconds", "Age of the oldest unfinished record."),
  };
}

/** Tells of what is owned whenever somebody reads it: `owned` is the first of the gauges, and sets the others. */
export function tellOfPartitions(
  topic: string,
  partitions: ReadonlyMap<number, OwnedPartition>,
  { metrics, consumer, clock }: { metrics: HandlingMetrics; consumer: KafkaConsumer; clock: Clock },
): void {
  const { owned, waiting, paused, position, committed, lag, oldest } = metrics;
  const collect = () => {
    owned.set(partitions.size);
    for (const gauge of [waiting, paused, position, committed, lag, oldest]) gauge.reset();
    for (const { partition, offsets, ...owner } of partitions.values()) {
      const place = { topic, partition };
      const newest = consumer.watermarks(partition).highOffset;
      const done = offsets.committed() ?? 0;
      const read = offsets.position() ?? done;
      const oldestMs = offsets.oldest()?.timestampMs ?? -1;
      for (const { waitsFor } of owner.waiting) waiting.inc({ for: waitsFor });
      paused.set(place, Number(owner.paused));
      position.set(place, read);
      committed.set(place, done);
      oldest.set(place, oldestMs < 0 ? 0 : Math.max(0, clock.epochMs() - oldestMs) / 1_000);
      if (newest >= 0) lag.set(place, Math.max(0, newest - read) + offsets.unfinished());
    }
  };
  Object.assign(owned, { collect });
}
