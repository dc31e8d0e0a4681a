/** What the producer tier tells of itself. */
import { Counter, Gauge, type Registry } from "prom-client";
import { cheapCounters, latencyHistogram } from "../metrics.ts";
import { type OutcomeName, outcomes } from "../outcomes.ts";

export type IntakeMetrics = ReturnType<typeof createIntakeMetrics>;

/** Registers the metrics; each outcome is there from the start, at zero. */
export function createIntakeMetrics(registry: Registry) {
  const registers = [registry];
  return {
    outcome: cheapCounters<OutcomeName>(
      registry,
      {
        name: "orders_outcomes_total",
        help: "Answers to orders, by outcome and by what it says of the order's fate.",
      },
      Object.fromEntries(
        Object.entries(outcomes).map(([outcome, { fate = "none" }]) => [outcome, { outcome, fate }]),
      ) as Record<OutcomeName, { outcome: string; fate: string }>,
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
    inFlightOrders: new Gauge({ name: "orders_in_flight", help: "Orders without their report.", registers }),
    inFlightLimit: new Gauge({
      name: "orders_in_flight_limit",
      help: "Orders that may be without their report; with PARTITIONER=customer the least of all partitions.",
      registers,
    }),
    shed: cheapCounters(
      registry,
      {
        name: "orders_shed_total",
        help: "Orders, and requests before their body was read, refused by the bound or by the limit in overload.",
      },
      { bound: { cause: "bound" }, overload: { cause: "overload" } },
    ),
    inFlightBytes: new Gauge({ name: "orders_in_flight_bytes", help: "Bytes of the same.", registers }),
    answeredFromMemory: new Counter({
      name: "orders_repeated_total",
      help: "Repeated requests that were answered without sending the order again.",
      registers,
    }),
    republished: new Counter({
      name: "orders_republished_total",
      help: "Orders sent once more, to a partition that acknowledges, after waiting too long.",
      registers,
    }),
    clientsReplaced: new Counter({
      name: "kafka_producer_replaced_total",
      help: "Kafka clients replaced after a fatal error.",
      registers,
    }),
    brokersUp: new Gauge({
      name: "kafka_brokers_up",
      help: "Brokers with a connection that works.",
      registers,
    }),
    queueRecords: new Gauge({
      name: "kafka_producer_queue_records",
      help: "Records in librdkafka's queue or on their way.",
      registers,
    }),
    queueBytes: new Gauge({ name: "kafka_producer_queue_bytes", help: "Bytes of the same.", registers }),
    roundTripSeconds: new Gauge({
      name: "kafka_broker_round_trip_seconds",
      help: "Mean round trip to the slowest broker, of the last second.",
      registers,
    }),
  };
}
