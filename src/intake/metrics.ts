/** What the producer tier tells of itself. */
import { Counter, Gauge, type Registry } from "prom-client";
import type { ProducerConfig } from "../config.ts";
import { type OutcomeName, outcomes } from "../outcomes.ts";
import type { Logger } from "../runtime/log.ts";
import { gaugeOfNow, latencyHistogram } from "../runtime/metrics.ts";

export type IntakeMetrics = ReturnType<typeof createIntakeMetrics>;
/** What all that the intake is made of works with. */
export type IntakeParts = { config: ProducerConfig; log: Logger; metrics: IntakeMetrics };

/** Each outcome is there from the start, at zero. */
export function createIntakeMetrics(registry: Registry) {
  const registers = [registry];
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers });
  const counter = (name: string, help: string, ...labelNames: string[]) =>
    new Counter({ name, help, labelNames, registers });
  const seconds = (name: string, help: string) => latencyHistogram(registry, name, help);
  const ofOutcomes = counter("orders_outcomes_total", "Answers by outcome and fate.", "outcome", "fate");
  const shed = counter("orders_shed_total", "Orders and unread requests that a limit refused.", "cause");
  const outcome = (outcome: OutcomeName, orders = 1): void =>
    ofOutcomes.inc({ outcome, fate: outcomes[outcome].fate ?? "none" }, orders);
  for (const name of Object.keys(outcomes)) outcome(name as OutcomeName, 0);
  for (const cause of ["bound", "overload"]) shed.inc({ cause }, 0);
  return {
    outcome,
    shed,
    requestSeconds: seconds("http_request_duration_seconds", "Time from a POST of orders to its answer."),
    deliverySeconds: seconds("order_delivery_duration_seconds", "Time from an order to its report."),
    inFlight(of: Record<"orders" | "lowestLimit" | "bytes", () => number>): void {
      gaugeOfNow(registry, "orders_in_flight", "Orders without their report.", of.orders);
      gaugeOfNow(registry, "orders_in_flight_limit", "The lowest limit of these.", of.lowestLimit);
      gaugeOfNow(registry, "orders_in_flight_bytes", "Bytes of the same.", of.bytes);
    },
    answeredFromMemory: counter("orders_repeated_total", "Repetitions answered from memory."),
    republished: counter("orders_republished_total", "Orders sent once more, to a partition that works."),
    clientsReplaced: counter("kafka_producer_replaced_total", "Kafka clients replaced after a fatal error."),
    brokersUp: gauge("kafka_brokers_up", "Brokers with a connection that works."),
    queueRecords: gauge("kafka_producer_queue_records", "Records in librdkafka's queue or on their way."),
  };
}
