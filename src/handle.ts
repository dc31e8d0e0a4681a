/**
 * What handling an order means. Replace this file: the rest needs only `handler`, `migrations` and `effectTable`. An effect in
 * the ledger's own database is an `apply`, through `tx`: it is committed together with the ledger's row, so it happens once.
 * An effect elsewhere (an HTTP call, a mail) is an `effect`: examples/http-call.ts.
 */
import type { Handler } from "./handling/handler.ts";

/**
 * Tables of the effect, in steps numbered by their place: add to them, never change one. The tickets have no unique key on
 * purpose: that there is one for each order is the ledger's doing and can be counted.
 */
export const migrations: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS tickets (
    order_id TEXT NOT NULL, customer TEXT NOT NULL, coffee TEXT NOT NULL, size TEXT NOT NULL,
    quantity INTEGER NOT NULL, milk TEXT, note TEXT)`,
];

/** Where load, proof and demo count the effects: a row for each, with the order's id as `order_id`; undefined: elsewhere. */
export const effectTable: string | undefined = "tickets";

/** Writes the barista's ticket. */
export const handler: Handler = {
  async apply(order, { tx }) {
    await tx`INSERT INTO tickets (order_id, customer, coffee, size, quantity, milk, note)
      VALUES (${order.id}, ${order.customer}, ${order.coffee}, ${order.size}, ${order.quantity},
        ${order.milk ?? null}, ${order.note ?? null})`;
  },
};
