/** The client's record of a load run, held against the ledger. */
import { SQL } from "bun";
import { effectTable } from "../../src/handle.ts";
import { isContradicted } from "../client/told.ts";
import { type ClientAnswer, orderIdOf } from "../history/history.ts";

const askEveryMs = 500;

/**
 * Waits, at most `drainTimeoutMs`, until every accepted order is in the ledger, and counts: orders, since of effects one too
 * few and one too many would look like all of them. An order is looked for under its own id, whatever it was told.
 * @returns a line for people; whether orders were accepted, each of these was handled once, with one ticket, and no client
 * was told a wrong thing; and whether, beyond that, all were accepted
 */
export async function tally(
  answers: readonly ClientAnswer[],
  where: string | SQL.PostgresOrMySQLOptions,
  { drainTimeoutMs = 60_000 } = {},
): Promise<{ line: string; once: boolean; held: boolean }> {
  const told = (fate: ClientAnswer["fate"]) => answers.filter((one) => one.fate === fate);
  const accepted = told("accepted");
  const orders = new Set(accepted.map(orderIdOf));
  await using ledger = new SQL({ ...(typeof where === "string" ? { url: where } : where), max: 1 });
  const listed = (ids: Iterable<string>) => ledger.array([...ids], "TEXT");
  const ids = listed(orders);
  const count = async () => {
    const [row] = await ledger`
      SELECT count(*)::int AS handled, coalesce(sum(deliveries - 1), 0)::int AS redelivered FROM ledger
      WHERE id = ANY(${ids}::uuid[])`;
    return row as { handled: number; redelivered: number };
  };
  const deadline = Date.now() + drainTimeoutMs;
  let { handled, redelivered } = await count();
  while (handled < orders.size && Date.now() < deadline) {
    await Bun.sleep(askEveryMs);
    ({ handled, redelivered } = await count());
  }
  // An effect that lies elsewhere can't be counted: the row stands for it.
  const [{ effects, affected }] = effectTable
    ? await ledger`
        SELECT count(*)::int AS effects, count(DISTINCT order_id)::int AS affected FROM ${ledger(effectTable)}
        WHERE order_id = ANY(${ids}::text[])`
    : [{ effects: handled, affected: handled }];
  const [{ phantoms }] = await ledger`
    SELECT count(*)::int AS phantoms FROM ledger WHERE id = ANY(${listed(told("refused").map(orderIdOf))}::uuid[])`;
  const mistaken = accepted.filter((one) => one.id !== orderIdOf(one) || isContradicted(one)).length;
  const counted = effectTable ? `${effectTable} ${effects}` : "effects not counted (they lie elsewhere)";
  const refused = answers.length - accepted.length;
  const lost = orders.size - Math.min(handled, affected);
  const once =
    accepted.length > 0 &&
    [orders.size, handled, affected, effects].every((all) => all === accepted.length) &&
    mistaken + phantoms === 0;
  const line = [
    `accepted ${accepted.length}, not accepted ${refused}, handled ${handled}, redelivered ${redelivered}, ${counted}, lost ${lost}`,
    ...(mistaken > 0 ? [`mistaken ${mistaken}: accepted under another id, or denied when sent again`] : []),
    ...(phantoms > 0 ? [`phantoms ${phantoms}: refused and yet there`] : []),
  ].join("; ");
  return { line, once, held: once && refused === 0 };
}
