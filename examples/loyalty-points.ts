/**
 * A handler whose effect lies in the ledger's own database: points for each customer. To use it, copy it over
 * src/handle.ts with `./` for `../src/` in the imports.
 *
 * What holds: an order's points are committed together with its row in the ledger, so they are given once, however
 * often the order is delivered. Many orders share a transaction; one that fails has no effect on the others.
 */
import { type Handler, Reject } from "../src/handling/handler.ts";

const mostQuantity = 50;

/** The effect's tables, in steps numbered by their place: add to them, never change one. */
export const migrations: readonly string[] = [
  "CREATE TABLE IF NOT EXISTS points (order_id TEXT NOT NULL, customer TEXT NOT NULL, points INTEGER NOT NULL)",
  "CREATE INDEX IF NOT EXISTS points_customer ON points (customer)",
];

/** A row for each effect, with the order's id as `order_id`. */
export const effectTable: string | undefined = "points";

/** Gives the customer a point for each cup. */
export const handler: Handler = {
  async apply(order, { tx }) {
    if (order.quantity > mostQuantity) throw new Reject("nobody drinks that much");
    await tx`INSERT INTO points (order_id, customer, points)
      VALUES (${order.id}, ${order.customer}, ${order.quantity})`;
  },
};
