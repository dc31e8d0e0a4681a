/** What the producer tier tells of itself. */
import { Counter, Gauge, type Registry } from "prom-client";
import { type OutcomeName, outcomes } from "../outcomes.ts";
import { gaugeOfNow, latencyHistogram } from "../runtime/metrics.ts";

export type IntakeMetrics = ReturnType<typeof createIntakeMetrics>;

/** Each outcome is there from the start, at zero. */
export function createIntakeMetrics(registry: Registry) {
  const registers = [registry];
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers });
  const counter = (name: string, help: string, ...labelNames: string[]) =>
    new Counter({ name, help, labelNames, registers });
  const ofOutcomes = counter(
    "orders_outcomes_total",
    "Answers to orders, by outcome and by what it says of the order's fate.",
    "outcome",
    "fate",
  );
  const ofShed = counter(
    "orders_shed_total",
    "Orders, and requests before their body was read, refused by the bound or by the limit in overload.",
    "cause",
  );
  const outcome = (outcome: OutcomeName, orders = 1): void =>
    ofOutcomes.inc({ outcome, fate: outcomes[outcome].fate ?? "none" }, orders);
  const shed = (cause: "bound" | "overload", orders = 1): void => ofShed.inc({ cause }, orders);
  for (const name of Object.keys(outcomes)) outcome(name as OutcomeName, 0);
  for (const cause of ["bound", "overload"] as const) shed(cause, 0);

  return {
    outcome,
    shed,
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
    inFlight(of: Record<"orders" | "lowestLimit" | "bytes", () => number>): void {
      gaugeOfNow(registry, "orders_in_flight", "Orders without their report.", of.orders);
      const limit =
        "Orders that may be without their report; with PARTITIONER=customer the least of all partitions.";
      gaugeOfNow(registry, "orders_in_flight_limit", limit, of.lowestLimit);
      gaugeOfNow(registry, "orders_in_flight_bytes", "Bytes of the same.", of.bytes);
    },
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
  };
}
