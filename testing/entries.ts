/** Ledger entries for tests: each is a new order, unless it is told otherwise. */
import type { Entry } from "../src/ledger/ledger.ts";
import { anOrder } from "../src/sample.ts";
import { orderId } from "../src/wire/order-id.ts";

let sequence = 0;

/** An order of this customer as it was delivered. */
export function entryOf(customer: string, changes: Partial<Entry> = {}): Entry {
  sequence += 1;
  const id = orderId(customer, `key ${sequence}`);
  const placedAt = new Date().toISOString();
  return {
    order: { ...anOrder, customer, id, placedAt },
    digest: `digest ${sequence}`,
    partition: 0,
    offset: sequence,
    ...changes,
  };
}
