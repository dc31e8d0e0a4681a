/** How an order ends that Kafka did not acknowledge: refused, which is certain, or unknown. */
import type { RefusedRecord } from "../kafka/sender.ts";
import { OutcomeError } from "../outcomes.ts";

/** Kafka's client did not take it. */
export function refusalOf({ reason, message }: RefusedRecord): OutcomeError {
  if (reason === "queue full") return new OutcomeError("queue_full", "the queue to Kafka is full");
  if (reason === "client failed") return new OutcomeError("not_ready", "the Kafka client is being replaced");
  // What an order may hold and MAX_BODY_BYTES do not agree: sent again it would not fit either.
  if (reason === "too large")
    return new OutcomeError("body_too_large", "no record may be as long as this order's");
  // For a moment after brokers came back, librdkafka may know of no such topic.
  return new OutcomeError("not_ready", `the Kafka client takes no order: ${message}`);
}

/** It was handed over, and there is no report, or a bad one. */
export const unknown = ({ id }: { id: string }, detail: string): OutcomeError =>
  new OutcomeError("delivery_unknown", `${detail}; send it again with the same Idempotency-Key`, { id });
