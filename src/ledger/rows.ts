/** The ledger's rows as both databases have them; what one says in words of its own is a parameter. */
import { partyOf } from "../order.ts";
import type { Burial, Entry, LedgerView, SqlValue, Verdict } from "./ledger.ts";

/** Runs a statement with $1, $2, … @returns its rows, with whole numbers as numbers */
export type Ask = <Row>(statement: string, ...values: SqlValue[]) => Promise<Row[]>;

export type Words = {
  /** Inserts what of `$1`, a JSON array, is new, in its order. @returns the ids */
  insert: string;
  /** Whether a column is among `$1`, a JSON array of UUIDs. */
  among: (column: string, type: "uuid" | "text") => string;
  /** Counts a delivery of order `$2` with digest `$1`. @returns the row, and the table that it is in */
  count: string;
  /** The rows in `$1`, a JSON array of burials, as they are inserted: as of now. */
  burials: string;
};

/** How an entry that was not new relates to the row that is there. */
export function verdictOf(entry: Entry, row: Pick<Entry, "digest" | "partition" | "offset">): Verdict {
  if (row.digest !== entry.digest) return "conflict";
  return row.partition === entry.partition && row.offset === entry.offset ? "redelivered" : "duplicate";
}

/** A row for what is new, else a counted delivery; in the order of ids, or two with overlapping batches would deadlock. */
export async function insert(ask: Ask, { insert, count }: Words, entries: readonly Entry[]) {
  const verdicts: Verdict[] = [];
  const tables = new Set<string>();
  const inOrder = [...entries.entries()].sort(([n, { order: one }], [m, { order: other }]) =>
    one.id < other.id ? -1 : one.id > other.id ? 1 : n - m,
  );
  const first = new Map(inOrder.toReversed().map(([index, { order }]) => [order.id, index]));
  const rows = inOrder.flatMap(([index, { order, ...row }]) =>
    first.get(order.id) === index
      ? { ...row, id: order.id, customer: partyOf(order), placed_at: order.placedAt }
      : [],
  );
  for (const { id } of await ask<{ id: string }>(insert, JSON.stringify(rows)))
    verdicts[first.get(id) as number] = "handled";
  async function look([index, entry]: [number, Entry]): Promise<void> {
    const [row] = await ask<Entry & { table: string }>(count, entry.digest, entry.order.id);
    if (!row) throw new Error(`the ledger's row of ${entry.order.id} vanished`);
    verdicts[index] = verdictOf(entry, row);
    tables.add(row.table);
  }
  // All at once: one by one each would take the whole way to the server and back.
  await Promise.all(inOrder.filter(([index]) => !verdicts[index]).map(look));
  return { verdicts, tables };
}

/** Where a topic was made anew, another order lies at an older letter's place: the newest counts. */
export const bury = (ask: Ask, { burials }: Words, letters: readonly Burial[]): Promise<unknown[]> =>
  ask(
    `INSERT INTO dead_letters (topic, "partition", "offset", order_id, reason, attempts, dead_at)
    ${burials} ON CONFLICT (topic, "partition", "offset") DO UPDATE SET order_id = excluded.order_id, reason = excluded.reason,
      attempts = excluded.attempts, dead_at = excluded.dead_at WHERE dead_letters.order_id IS DISTINCT FROM excluded.order_id`,
    JSON.stringify(letters),
  );

/** A handled order is handled, whatever befell its other records; of several dead letters the newest counts. */
export async function find(ask: Ask, { among }: Words, ids: readonly string[]) {
  const views = new Map<string, LedgerView>();
  // PostgreSQL's client gives a Date.
  const time = (value: string) => new Date(value).toISOString();
  const handled = `SELECT id, 'handled' AS status, handled_at AS "handledAt", deliveries, "partition", "offset"
    FROM ledger WHERE ${among("id", "uuid")}`;
  for (const row of await ask<Extract<LedgerView, { status: "handled" }>>(handled, JSON.stringify(ids)))
    views.set(row.id, { ...row, handledAt: time(row.handledAt) });
  const others = ids.filter((id) => !views.has(id));
  if (others.length === 0) return views;
  const dead = `SELECT order_id AS id, 'dead' AS status, dead_at AS "deadAt", reason, attempts, topic, "partition",
    "offset" FROM dead_letters WHERE ${among("order_id", "text")} ORDER BY dead_at`;
  for (const row of await ask<Extract<LedgerView, { status: "dead" }>>(dead, JSON.stringify(others)))
    views.set(row.id, { ...row, deadAt: time(row.deadAt) });
  return views;
}
