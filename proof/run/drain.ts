/** The end of a run's load: what was accepted is given its time to be handled, or to become a dead letter. */
import type { SQL } from "bun";
import { countedDown } from "../../kit/until.ts";
import { ofLedger } from "../history/ask.ts";
import { type ClientAnswer, orderIdOf } from "../history/history.ts";

/** Without one more that is handled: as long as they go on, a slow machine loses nothing. */
const drainLimitMs = 120_000;
const drainPollMs = 1_000;
/** The same where orders were destroyed: some are waited for in vain. */
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
  { stop, destroyed = false, limitMs = destroyed ? restMs : drainLimitMs, answerLimitMs }: Drain,
): Promise<number> {
  // By their own ids: what they were told may be none at all, which is for the verdict to say.
  const accepted = answers.filter(({ fate }) => fate === "accepted").map(orderIdOf);
  const ids = ledger.array(accepted, "TEXT");
  const waiting = async () => {
    stop.throwIfAborted();
    const counting = ledger`SELECT count(*)::int AS n FROM unnest(${ids}::uuid[]) AS sent (id)
      WHERE NOT EXISTS (SELECT FROM ledger WHERE ledger.id = sent.id)
      AND NOT EXISTS (SELECT FROM dead_letters WHERE order_id = sent.id::text)`;
    const [row] = await ofLedger(counting, answerLimitMs);
    return row.n as number;
  };
  return countedDown(waiting, limitMs, drainPollMs);
}
