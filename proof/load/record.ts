/** The client's record of a load run, held against the ledger. */
import { SQL } from "bun";
import { effectTable } from "../../src/handle.ts";
import { isContradicted } from "../client/told.ts";
import { ofLedger, withLedger } from "../history/ask.ts";
import { type ClientAnswer, orderIdOf } from "../history/history.ts";

const askEveryMs = 500;

interface Waits {
  drainTimeoutMs?: number;
  /** For one question to the ledger. */
  answerLimitMs?: number;
}

interface Tally {
  /** For people. */
  line: string;
  /** Orders were accepted, each of these was handled once, with one ticket, and no client was told a wrong thing. */
  once: boolean;
  /** And all were accepted. */
  held: boolean;
}

/**
 * Waits, at most `drainTimeoutMs`, until every accepted order is in the ledger, and counts: orders, since of effects one too
 * few and one too many would look like all of them. An order is looked for under its own id, whatever it was told.
 * @throws UserError when the ledger can't be read
 */
export function tally(
  answers: readonly ClientAnswer[],
  where: string | SQL.PostgresOrMySQLOptions,
  waits: Waits = {},
): Promise<Tally> {
  const ledger = new SQL({ ...(typeof where === "string" ? { url: where } : where), max: 1 });
  return withLedger(ledger, () => counted(answers, ledger, waits));
}

async function counted(
  answers: readonly ClientAnswer[],
  ledger: SQL,
  { drainTimeoutMs = 60_000, answerLimitMs }: Waits,
): Promise<Tally> {
  const ask = <T>(question: PromiseLike<T>) => ofLedger(question, answerLimitMs);
  const told = (fate: ClientAnswer["fate"]) => answers.filter((one) => one.fate === fate);
  const accepted = told("accepted");
  const orders = new Set(accepted.map(orderIdOf));
  const listed = (ids: Iterable<string>) => ledger.array([...ids], "TEXT");
  const ids = listed(orders);
  const count = async () => {
    const [row] = await ask(ledger`
      SELECT count(*)::int AS handled, coalesce(sum(deliveries - 1), 0)::int AS redelivered FROM ledger
      WHERE id = ANY(${ids}::uuid[])`);
    return row as { handled: number; redelivered: number };
  };
  const deadline = performance.now() + drainTimeoutMs;
  let { handled, redelivered } = await count();
  while (handled < orders.size && performance.now() < deadline) {
    await Bun.sleep(askEveryMs);
    ({ handled, redelivered } = await count());
  }
  // An effect that lies elsewhere can't be counted: the row stands for it.
  const [{ effects, affected }] = effectTable
    ? await ask(ledger`
        SELECT count(*)::int AS effects, count(DISTINCT order_id)::int AS affected FROM ${ledger(effectTable)}
        WHERE order_id = ANY(${ids}::text[])`)
    : [{ effects: handled, affected: handled }];
  const [{ phantoms }] = await ask(ledger`
    SELECT count(*)::int AS phantoms FROM ledger
    WHERE id = ANY(${listed(told("refused").map(orderIdOf))}::uuid[])`);
  const mistaken = accepted.filter((one) => one.id !== orderIdOf(one) || isContradicted(one)).length;
  const ofEffects = effectTable ? `${effectTable} ${effects}` : "effects not counted (they lie elsewhere)";
  const refused = answers.length - accepted.length;
  const lost = orders.size - Math.min(handled, affected);
  const once =
    accepted.length > 0 &&
    [orders.size, handled, affected, effects].every((all) => all === accepted.length) &&
    mistaken + phantoms === 0;
  const line = [
    `accepted ${accepted.length}, not accepted ${refused}, handled ${handled}, redelivered ${redelivered}, ${ofEffects}, lost ${lost}`,
    ...(mistaken > 0 ? [`mistaken ${mistaken}: accepted under another id, or denied when sent again`] : []),
    ...(phantoms > 0 ? [`phantoms ${phantoms}: refused and yet there`] : []),
  ].join("; ");
  return { line, once, held: once && refused === 0 };
}
