/** What handling a parcel means: a label to print. */
import type { Handler } from "./handling/handler.ts";

/** Tables of the effect, in steps numbered by their place: add to them, never change one. */
export const migrations: readonly string[] = [
  "CREATE TABLE IF NOT EXISTS labels (order_id TEXT NOT NULL, account TEXT NOT NULL, grams INTEGER NOT NULL, address TEXT NOT NULL)",
];

/** A row for each effect, with the order's id as `order_id`. */
export const effectTable: string | undefined = "labels";

/** Writes the label. */
export const handler: Handler = {
  async apply(order, { tx }) {
    const { address, country } = order.to;
    await tx`INSERT INTO labels (order_id, account, grams, address)
      VALUES (${order.id}, ${order.account}, ${order.grams}, ${`${address}, ${country}`})`;
  },
};
