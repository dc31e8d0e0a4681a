// The demo's own look into the ledger: straight into the file, past the consumers, whose word is on trial.
import { Database } from "bun:sqlite";
import { effectTable } from "../../src/handle.ts";
import type { Handled } from "./verdict.ts";

export type LedgerReader = ReturnType<typeof openLedger>;

/** Opens the ledger's file for reading; its tables are there once a consumer has started. */
export function openLedger(path: string) {
  const database = new Database(path, { readonly: true, strict: true });
  // A checkpoint that ends the write-ahead log may lock the file for a moment.
  database.run("PRAGMA busy_timeout = 5000");
  const counts = database.query<{ handled: number; redelivered: number }, []>(
    "SELECT count(*) AS handled, coalesce(sum(deliveries - 1), 0) AS redelivered FROM ledger",
  );

  return {
    /** Orders handled so far, and deliveries beyond the first. */
    counts: () => counts.get() ?? { handled: 0, redelivered: 0 },

    /** Every order with a row or an effect. */
    read(): Map<string, Handled> {
      const rows = database.query<{ id: string; deliveries: number }, []>(
        "SELECT id, deliveries FROM ledger",
      );
      // An effect that lies elsewhere can't be counted: the row stands for it.
      const effects = database.query<{ id: string; effects: number }, []>(
        effectTable
          ? `SELECT order_id AS id, count(*) AS effects FROM ${effectTable} GROUP BY order_id`
          : "SELECT id, 1 AS effects FROM ledger",
      );
      const orders = new Map<string, Handled>();
      for (const { id, deliveries } of rows.iterate()) orders.set(id, { deliveries, effects: 0 });
      for (const { id, effects: applied } of effects.iterate())
        orders.set(id, { deliveries: orders.get(id)?.deliveries ?? 0, effects: applied });
      return orders;
    },

    [Symbol.dispose]: () => database.close(),
  };
}
