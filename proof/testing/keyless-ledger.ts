/** A ledger as it must not be: a row for each delivery, and the effect each time. Its tables have the usual names. */
import { SQL } from "bun";
import type { Ledger, Tx } from "../../src/ledger/ledger.ts";

export function createKeylessLedger(url: string): Ledger {
  const sql = new SQL({ url, max: 2 });
  return {
    async open(effectSchema) {
      await sql`CREATE TABLE IF NOT EXISTS ledger (id uuid, digest text, "partition" integer, "offset" bigint,
        handled_at timestamptz DEFAULT now(), deliveries integer DEFAULT 1)`;
      for (const statement of effectSchema) await sql.unsafe(statement);
    },
    record: (entries, apply) =>
      sql.begin(async (tx) => {
        for (const entry of entries) {
          const { order, digest, partition, offset } = entry;
          await tx`INSERT INTO ledger (id, digest, "partition", "offset")
            VALUES (${order.id}, ${digest}, ${partition}, ${offset})`;
          await apply(entry, tx as unknown as Tx);
        }
        return entries.map(() => "handled" as const);
      }),
    bury: async () => {
      throw new Error("no order of these tests is given up");
    },
    find: async () => new Map(),
    expire: async () => [],
    close: () => sql.close(),
  };
}
