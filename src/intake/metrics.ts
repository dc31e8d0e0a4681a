/** What the producer tier tells of itself. */
import { Counter, Gauge, type Registry } from "prom-client";
import { type OutcomeName, outcomes } from "../outcomes.ts";
import { cheapCounters, latencyHistogram } from "../runtime/metrics.ts";

export type IntakeMetrics = ReturnType<typeof createIntakeMetrics>;

/** Registers the metrics; each outcome is there from the start, at zero. */
export function createIntakeMetrics(registry: Registry) {
  const registers = [registry];
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers });
  const counter = (name: string, help: string) => new Counter({ name, help, registers });
  const outcomeLabels = Object.fromEntries(
    Object.entries(outcomes).map(([outcome, { fate = "none" }]) => [outcome, { outcome, fate }]),
  ) as Record<OutcomeName, { outcome: string; fate: string }>;
  const ofOutcomes = "Answers to orders, by outcome and by what it says of the order's fate.";
  const ofShed =
    "Orders, and requests before their body was read, refused by the bound or by the limit in overload.";
  return {
    outcome: cheapCounters(registry, { name: "orders_outcomes_total", help: ofOutcomes }, outcomeLabels),
    shed: cheapCounters(
      registry,
      { name: "orders_shed_total", help: ofShed },
      { bound: { cause: "bound" }, overload: { cause: "overload" } },
    ),
    requestSeconds: latencyHistogram(
      registry,
      "http_request_duration_seconds",
      "Time from a request to its answer, for POST /orders and /orders/batch.",
    ),
    deliverySeconds: latencyHistogram(
      registry,
      "order_delivery_duration_seconds",
      "Time from an order's first sending to its delivery report.",
    ),
    inFlightOrders: gauge("orders_in_flight", "Orders without their report."),
    inFlightLimit: gauge(
      "orders_in_flight_limit",
      "Orders that may be without their report; with PARTITIONER=customer the least of all partitions.",
    ),
    inFlightBytes: gauge("orders_in_flight_bytes", "Bytes of the same."),
    answeredFromMemory: counter(
      "orders_repeated_total",
      "Repeated requests that were answered without sending the order again.",
    ),
    republished: counter(
      "orders_republished_total",
      "Orders sent once more, to a partition that acknowledges, after waiting too long.",
    ),
    clientsReplaced: counter("kafka_producer_replaced_total", "Kafka clients replaced after a fatal error."),
    brokersUp: gauge("kafka_brokers_up", "Brokers with a connection that works."),
    queueRecords: gauge("kafka_producer_queue_records", "Records in librdkafka's queue or on their way."),
    queueBytes: gauge("kafka_producer_queue_bytes", "Bytes of the same."),
    roundTripSeconds: gauge(
      "kafka_broker_round_trip_seconds",
      "Mean round trip to the slowest broker, of the last second.",
    ),
  };
}
