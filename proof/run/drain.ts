/** The end of a run's load: what was accepted is given its time to be handled, or to become a dead letter. */
import type { SQL } from "bun";
import { comesTrue } from "../../kit/until.ts";
import { ofLedger } from "../history/ask.ts";
import { type ClientAnswer, orderIdOf } from "../history/history.ts";

const drainLimitMs = 120_000;
const drainPollMs = 1_000;
/** Where orders were destroyed some are waited for in vain: until nothing has changed for so long. */
const restMs = 30_000;

interface Drain {
  stop: AbortSignal;
  /** Orders were. */
  destroyed?: boolean;
  limitMs?: number;
  /** For one question to the ledger. */
  answerLimitMs?: number;
}

/** Waits; gives back how many accepted orders still are neither. @throws UserError when the ledger can't be read */
export async function drained(
  ledger: SQL,
  answers: readonly ClientAnswer[],
  { stop, destroyed = false, limitMs = drainLimitMs, answerLimitMs }: Drain,
): Promise<number> {
  // By their own ids: what they were told may be none at all, which is for the verdict to say.
  const accepted = answers.filter(({ fate }) => fate === "accepted").map(orderIdOf);
  const ids = ledger.array(accepted, "TEXT");
  let waiting = accepted.length;
  let changedMs = performance.now();
  await comesTrue(
    async () => {
      stop.throwIfAborted();
      const counting = ledger`SELECT count(*)::int AS n FROM unnest(${ids}::uuid[]) AS sent (id)
        WHERE NOT EXISTS (SELECT FROM ledger WHERE ledger.id = sent.id)
        AND NOT EXISTS (SELECT FROM dead_letters WHERE order_id = sent.id::text)`;
      const [row] = await ofLedger(counting, answerLimitMs);
      if (row.n !== waiting) changedMs = performance.now();
      waiting = row.n;
      return waiting === 0 || (destroyed && performance.now() > changedMs + restMs);
    },
    limitMs,
    drainPollMs,
  );
  return waiting;
}
