/** The client's record of a load run, held against the ledger. */
import { SQL } from "bun";
import { countedDown } from "../../kit/until.ts";
import { effectTable } from "../../src/handle.ts";
import { ofLedger, withLedger } from "../history/ask.ts";
import { entriesOf } from "../history/entries.ts";
import { type ClientAnswer, orderIdOf } from "../history/history.ts";
import { reconcile } from "../verdict/reconcile.ts";
import { type LookUp, lookedUp } from "./look-up.ts";

const askEveryMs = 500;

interface Waits {
  /** Without one more that is handled. */
  drainTimeoutMs?: number;
  /** After its answer: longer than a producer may hold a record (DELIVERY_TIMEOUT_MS), so that what was refused is not to come. */
  writtenWithinMs?: number;
  /** For one question to the ledger. */
  answerLimitMs?: number;
}

interface Tally {
  /** For people. */
  line: string;
  /**
   * Orders were accepted, each of these was handled once, with one ticket, and no client was told a wrong thing. Undefined:
   * nothing is wrong, but some still wait in Kafka, or nobody says where they are, and there is no verdict yet.
   */
  once: boolean | undefined;
  /** And all were accepted. */
  held: boolean | undefined;
}

/**
 * Waits until every accepted order is in the ledger, or nothing more comes, and judges order by order: of effects one too few
 * and one too many would look like all of them. An order is looked for under its own id, whatever it was told.
 * @param lookUp asked of those that the ledger does not have: without a consumer to handle it an order is not lost
 * @throws UserError when the ledger can't be read
 */
export function tally(
  answers: readonly ClientAnswer[],
  where: string | SQL.PostgresOrMySQLOptions,
  lookUp: LookUp,
  waits: Waits = {},
): Promise<Tally> {
  const ledger = new SQL({ ...(typeof where === "string" ? { url: where } : where), max: 1 });
  return withLedger(ledger, () => counted(answers, ledger, lookUp, waits));
}

async function counted(
  answers: readonly ClientAnswer[],
  ledger: SQL,
  lookUp: LookUp,
  { drainTimeoutMs = 60_000, writtenWithinMs = 25_000, answerLimitMs }: Waits,
): Promise<Tally> {
  const ask = <T>(question: PromiseLike<T>) => ofLedger(question, answerLimitMs);
  const accepted = answers.filter(({ fate }) => fate === "accepted");
  const orders = new Set(accepted.map(orderIdOf));
  const ids = ledger.array([...orders], "TEXT");
  const waiting = async () => {
    const [row] = await ask(ledger`
      SELECT count(DISTINCT id)::int AS handled FROM ledger WHERE id = ANY(${ids}::uuid[])`);
    return orders.size - row.handled;
  };
  await countedDown(waiting, drainTimeoutMs, askEveryMs);
  const lastMs = answers.reduce(
    (last, { fate, endedMs }) => (fate === "refused" ? Math.max(last, endedMs) : last),
    0,
  );
  await Bun.sleep(Math.min(writtenWithinMs, Math.max(0, lastMs + writtenWithinMs - Date.now())));
  return tallied(answers, await ask(leftOf(answers, ledger)), lookUp);
}

/** All that the ledger has of them. */
async function leftOf(answers: readonly ClientAnswer[], sql: SQL) {
  const ids = [...new Set(answers.map(orderIdOf))];
  const entries = await entriesOf(sql, ids);
  const dead: { id: string }[] = await sql`
    SELECT DISTINCT order_id AS id FROM unnest(${sql.array(ids, "TEXT")}::text[]) AS wanted (id)
    JOIN dead_letters ON order_id = wanted.id`;
  return { ...entries, dead: dead.map(({ id }) => ({ id, partition: -1, offset: -1, reason: "" })) };
}

/** By the verdict of a proof, without what is in the log only. */
async function tallied(
  answers: readonly ClientAnswer[],
  left: Awaited<ReturnType<typeof leftOf>>,
  lookUp: LookUp,
): Promise<Tally> {
  const verdict = reconcile({ client: answers, topic: [], commits: [], ...left }, { isLogRead: false });
  const orders = new Map(answers.flatMap((one) => (one.fate === "accepted" ? [[orderIdOf(one), one]] : [])));
  const rows = left.ledger.filter(({ id }) => orders.has(id));
  const redelivered = rows.reduce((sum, { deliveries }) => sum + deliveries - 1, 0);
  const effects = left.effects.filter(({ id }) => orders.has(id)).length;
  const ofEffects = effectTable ? `${effectTable} ${effects}` : "effects not counted (they lie elsewhere)";
  const { accepted, deadLettered } = verdict;
  // The log was not read: what the ledger knows nothing of may be there.
  const missing = verdict.lost.flatMap(({ id, where }) =>
    where === "not in the log" ? (orders.get(id) ?? []) : [],
  );
  const found = await lookedUp(missing, lookUp);
  const unfinished = found.waits + found["nobody says"];
  const lost = verdict.lost.length - unfinished;
  const faults = verdict.faults.filter((fault) => !fault.startsWith("lost"));
  const refused = answers.length - accepted;
  const sound = faults.length + lost + deadLettered === 0 && orders.size === accepted;
  const once = sound && unfinished > 0 ? undefined : sound;
  const line = [
    `accepted ${accepted}, not accepted ${refused}, handled ${rows.length}, redelivered ${redelivered}, ${ofEffects}, lost ${lost}`,
    ...(found.waits > 0 ? [`not handled yet ${found.waits}, which wait in Kafka`] : []),
    ...(found["nobody says"] > 0
      ? [`not handled ${found["nobody says"]}, of which no consumer says where they are`]
      : []),
    ...(deadLettered > 0 ? [`given up and kept as dead letters ${deadLettered}`] : []),
    ...faults,
  ].join("; ");
  return { line, once, held: refused === 0 ? once : false };
}
