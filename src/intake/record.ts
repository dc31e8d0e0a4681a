/**
 * An order on its way: what came with it, what it waits for, what it is answered with; and its Kafka record: key = order
 * id, value = the order with its id and time, headers = CloudEvents 1.0 in the Kafka protocol binding's binary mode, with
 * the W3C trace context of the request.
 */
import type { Principal } from "../http/principal.ts";
import type { TraceContext } from "../http/trace-context.ts";
import type { OutgoingRecord } from "../kafka/producer.ts";
import type { Order } from "../order.ts";
import type { PlacedOrder } from "../validation.ts";
import type { Kind, Lane } from "./admission.ts";

/** What an accepted order's answer says; a broker may acknowledge a repetition without its offset. */
export type Acceptance = { id: string; partition: number; offset: number | null };

/** What comes with an order besides its document. */
export type Given = {
  /** The order's own (`orderKey`). */
  key: string;
  /** None where the balancer runs open. */
  principal: Principal | undefined;
  kind: Kind;
  trace: TraceContext | undefined;
  /** By when it has to be answered, on the clock of performance.now(). */
  deadlineMs: number;
};

/** An order without its answer, or of which a copy is still on its way. */
export type Pending = ReturnType<typeof pendingOf>;

/** An order that is taken in now. */
export function pendingOf(order: Order, id: string, given: Given, lane: Lane, topic: string) {
  const record = recordOf(order, id, topic, given.trace);
  return {
    id,
    order,
    given,
    lane,
    record,
    bytes: Buffer.byteLength(record.value ?? ""),
    sinceMs: performance.now(),
    /** The group it was sent with; 0 while it is held back, when Kafka's client knows nothing of it. */
    group: 0,
    /** Copies on their way. */
    copies: 0,
    republished: false,
    /** It has its answer. */
    done: false,
    answer: Promise.withResolvers<Acceptance>(),
  };
}

const constant: OutgoingRecord["headers"] = [
  { ce_specversion: "1.0" },
  { ce_type: "coffee-orders.order.placed" },
  { ce_source: "/orders" },
  { "content-type": "application/json" },
];

/** The record of an order on its topic; the partition is chosen when it is sent. */
export function recordOf(order: Order, id: string, topic: string, trace?: TraceContext): OutgoingRecord {
  const placedAt = now();
  const placed: PlacedOrder = { ...order, id, placedAt };
  const headers: OutgoingRecord["headers"] = [{ ce_id: id, ce_time: placedAt }];
  if (trace) headers.push(trace);
  const value = JSON.stringify(placed);
  return { topic, partition: -1, key: id, value, headers, sharedHeaders: constant };
}

let lastMs = Number.NaN;
let lastText = "";

/** The time, RFC 3339. Many orders come in the same millisecond. */
function now(): string {
  const nowMs = Date.now();
  if (nowMs !== lastMs) {
    lastMs = nowMs;
    lastText = new Date(nowMs).toISOString();
  }
  return lastText;
}
