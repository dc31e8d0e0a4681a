/** An order's Kafka record: key = its id, value = it with id and time, headers = CloudEvents 1.0 (Kafka, binary mode), W3C trace. */
import type { TraceContext } from "../http/trace-context.ts";
import type { OutgoingRecord } from "../kafka/sender.ts";
import { type Order, schemaVersion } from "../order.ts";
import type { PlacedOrder } from "./validation.ts";

const constant: OutgoingRecord["headers"] = [
  { ce_specversion: "1.0" },
  { ce_type: "coffee-orders.order.placed" },
  { ce_source: "/orders" },
  { ce_dataschema: `urn:coffee-orders:order:${schemaVersion}` },
  { "content-type": "application/json" },
];

/** The record of an order on its topic; the partition is chosen when it is sent. */
export function recordOf(order: Order, id: string, topic: string, trace?: TraceContext): OutgoingRecord {
  const placedAt = new Date().toISOString();
  const headers: OutgoingRecord["headers"] = [{ ce_id: id, ce_time: placedAt }];
  if (trace) headers.push(trace);
  const value = JSON.stringify({ ...order, id, placedAt } satisfies PlacedOrder);
  return { topic, partition: -1, key: id, value, headers, sharedHeaders: constant };
}
