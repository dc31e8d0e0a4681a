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
  const counts = database.query<{ handled: number; redelivered: number; dead: number }, []>(
    `SELECT count(*) AS handled, coalesce(sum(deliveries - 1), 0) AS redelivered,
       (SELECT count(DISTINCT order_id) FROM dead_letters WHERE NOT EXISTS (SELECT 1 FROM ledger WHERE id = order_id)) AS dead
     FROM ledger`,
  );

  return {
    /** Orders handled so far, deliveries beyond the first, and orders that are dead letters instead. */
    counts: () => counts.get() ?? { handled: 0, redelivered: 0, dead: 0 },

    /** Every order with a row, an effect or a dead letter. */
    read(): Map<string, Handled> {
      const rows = database.query<{ id: string; deliveries: number; digest: string }, []>(
        "SELECT id, deliveries, digest FROM ledger",
      );
      // An effect that lies elsewhere can't be counted: the row stands for it.
      const effects = database.query<{ id: string; effects: number }, []>(
        effectTable
          ? `SELECT order_id AS id, count(*) AS effects FROM ${effectTable} GROUP BY order_id`
          : "SELECT id, 1 AS effects FROM ledger",
      );
      const orders = new Map<string, Handled>();
      for (const { id, ...row } of rows.iterate()) orders.set(id, { ...row, effects: 0 });
      for (const { id, effects: applied } of effects.iterate())
        orders.set(id, { deliveries: 0, ...orders.get(id), effects: applied });
      const dead = database.query<{ id: string }, []>(
        "SELECT DISTINCT order_id AS id FROM dead_letters WHERE order_id IS NOT NULL",
      );
      for (const { id } of dead.iterate())
        orders.set(id, { deliveries: 0, effects: 0, ...orders.get(id), dead: true });
      return orders;
    },

    [Symbol.dispose]: () => database.close(),
  };
}
