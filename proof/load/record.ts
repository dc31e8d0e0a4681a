/** The client's record of a load run, held against the ledger. */
import { SQL } from "bun";
import { effectTable } from "../../src/handle.ts";
import type { ClientAnswer } from "../client/answers.ts";

const askEveryMs = 500;

/**
 * Waits, at most `drainTimeoutMs`, until every accepted order is in the ledger, and counts.
 * @returns a line for people; whether orders were accepted and each of these was handled once, with one ticket; and
 * whether, beyond that, all were accepted
 */
export async function tally(
  answers: readonly Pick<ClientAnswer, "fate" | "id">[],
  where: string | SQL.PostgresOrMySQLOptions,
  { drainTimeoutMs = 60_000 } = {},
): Promise<{ line: string; once: boolean; held: boolean }> {
  const accepted = answers.flatMap(({ fate, id }) => (fate === "accepted" && id ? [id] : []));
  const distinct = new Set(accepted).size;
  await using ledger = new SQL({ ...(typeof where === "string" ? { url: where } : where), max: 1 });
  const ids = ledger.array([...new Set(accepted)], "TEXT");
  const count = async () => {
    const [row] = await ledger`
      SELECT count(*)::int AS handled, coalesce(sum(deliveries - 1), 0)::int AS redelivered FROM ledger
      WHERE id = ANY(${ids}::uuid[])`;
    return row as { handled: number; redelivered: number };
  };
  const deadline = Date.now() + drainTimeoutMs;
  let { handled, redelivered } = await count();
  while (handled < distinct && Date.now() < deadline) {
    await Bun.sleep(askEveryMs);
    ({ handled, redelivered } = await count());
  }
  // An effect that lies elsewhere can't be counted: the row stands for it.
  const [{ effects }] = effectTable
    ? await ledger`
        SELECT count(*)::int AS effects FROM ${ledger(effectTable)} WHERE order_id = ANY(${ids}::text[])`
    : [{ effects: handled }];
  const counted = effectTable ? `${effectTable} ${effects}` : "effects not counted (they lie elsewhere)";
  const refused = answers.length - accepted.length;
  const lost = distinct - handled;
  const once = lost === 0 && effects === distinct && distinct === accepted.length && distinct > 0;
  const line = `accepted ${accepted.length}, not accepted ${refused}, handled ${handled}, redelivered ${redelivered}, ${counted}, lost ${lost}`;
  return { line, once, held: once && refused === 0 };
}
