/**
 * What handling an order means. Replace this file: the rest of the project needs only `handle`, `schema` and
 * `effectTable`.
 *
 * An effect in the ledger's own database goes through `tx`: it is committed together with the ledger's row, so it
 * happens once. An effect elsewhere (an HTTP call, a mail) may be repeated when a consumer dies in between: pass the
 * order's id on as its idempotency key, and stop when `signal` aborts: see examples/http-call.ts.
 */
import type { Handler } from "./handling/handler.ts";

/**
 * Tables of the effect. The tickets have no unique key on purpose: that there is one for each order, whatever died
 * in between, is the ledger's doing and can be counted.
 */
export const schema: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS tickets (
    order_id TEXT NOT NULL, customer TEXT NOT NULL, coffee TEXT NOT NULL, size TEXT NOT NULL,
    quantity INTEGER NOT NULL, milk TEXT, note TEXT)`,
];

/** Where load, proof and demo count the effects: a row for each, with the order's id as `order_id`. */
export const effectTable = "tickets";

/** Writes the barista's ticket. */
export const handle: Handler = async (order, { tx }) => {
  await tx`INSERT INTO tickets (order_id, customer, coffee, size, quantity, milk, note)
    VALUES (${order.id}, ${order.customer}, ${order.coffee}, ${order.size}, ${order.quantity},
      ${order.milk ?? null}, ${order.note ?? null})`;
};
