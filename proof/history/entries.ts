/** What a ledger has of a run's orders: their rows and their effects. */
import type { SQL } from "bun";
import { effectTable } from "../../src/handle.ts";
import type { History, LedgerRow } from "./history.ts";

/** By a join: to plan for some hundred thousand ids in one condition takes more memory than the server may have. */
export async function entriesOf(sql: SQL, ids: string[]): Promise<Pick<History, "ledger" | "effects">> {
  const wanted = sql.array(ids, "TEXT");
  const ledger: LedgerRow[] = await sql`
    SELECT id, digest, "partition", "offset"::float8, deliveries, (extract(epoch FROM handled_at) * 1000)::float8 AS "handledAtMs"
    FROM unnest(${wanted}::uuid[]) AS wanted (id) JOIN ledger USING (id)`;
  // An effect that lies elsewhere can't be counted: the row stands for it.
  const effects: { id: string }[] = effectTable
    ? await sql`
        SELECT order_id AS id FROM unnest(${wanted}::text[]) AS wanted (id) JOIN ${sql(effectTable)} ON order_id = wanted.id`
    : ledger.map(({ id }) => ({ id }));
  return { ledger: [...ledger], effects: [...effects] };
}
