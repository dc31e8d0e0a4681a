/**
 * What is known of many orders, in at most two queries: a waiter for an order costs a place in an array. A handled order
 * is handled, whatever befell its other records; of several dead letters the newest counts.
 */
import type { Database } from "bun:sqlite";
import type { SQL } from "bun";
import type { LedgerView } from "./ledger.ts";

type Place = { id: string; partition: number; offset: number | bigint | string };
type Handled = Place & { handled_at: Date | string; deliveries: number };
type Dead = Place & { topic: string; dead_at: Date | string; reason: string; attempts: number };

/** @param ids UUIDs, as the ledger's */
export async function findInPostgres(sql: SQL, ids: readonly string[]): Promise<Map<string, LedgerView>> {
  const handled: Handled[] = await sql`
    SELECT id, handled_at, deliveries, "partition", "offset" FROM ledger
    WHERE id = ANY(${sql.array([...ids], "TEXT")}::uuid[])`;
  return viewsOf(
    ids,
    handled,
    (others): Promise<Dead[]> => sql`
      SELECT DISTINCT ON (order_id) order_id AS id, dead_at, reason, attempts, topic, "partition", "offset"
      FROM dead_letters WHERE order_id = ANY(${sql.array(others, "TEXT")}::text[])
      ORDER BY order_id, dead_at DESC`,
  );
}

/** @param database a connection that sees only what is committed */
export function findInSqlite(database: Database, ids: readonly string[]): Promise<Map<string, LedgerView>> {
  const among = (list: readonly string[]) => JSON.stringify(list);
  const handled = database
    .query<Handled, [string]>("SELECT * FROM ledger WHERE id IN (SELECT value FROM json_each(?))")
    .all(among(ids));
  return viewsOf(ids, handled, async (others) =>
    // The row of the newest: SQLite takes the other columns of a group from where its max() is.
    database
      .query<Dead, [string]>(
        `SELECT order_id AS id, max(dead_at) AS dead_at, reason, attempts, topic, "partition", "offset"
         FROM dead_letters WHERE order_id IN (SELECT value FROM json_each(?)) GROUP BY order_id`,
      )
      .all(among(others)),
  );
}

async function viewsOf(
  ids: readonly string[],
  handled: readonly Handled[],
  deadOf: (others: string[]) => Promise<Dead[]>,
): Promise<Map<string, LedgerView>> {
  const views = new Map<string, LedgerView>();
  for (const { id, deliveries, ...row } of handled)
    views.set(id, { id, status: "handled", handledAt: time(row.handled_at), deliveries, ...placeOf(row) });
  const others = ids.filter((id) => !views.has(id));
  for (const { id, reason, attempts, topic, ...row } of others.length > 0 ? await deadOf(others) : []) {
    const deadAt = time(row.dead_at);
    views.set(id, { id, status: "dead", deadAt, reason, attempts, topic, ...placeOf(row) });
  }
  return views;
}

const placeOf = ({ partition, offset }: Omit<Place, "id">) => ({ partition, offset: Number(offset) });
const time = (value: Date | string): string => (typeof value === "string" ? value : value.toISOString());
