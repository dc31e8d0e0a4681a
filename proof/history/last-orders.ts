// The orders that were under way when the load was ended: by us, while the system was well and nothing was done to it.
import type { ClientAnswer } from "./history.ts";

/** An order that was sent earlier, and had no answer when the load ended, hung. */
const answerDueMs = 5_000;

/** All but those that we cut short before their answer was due: unknown, and no failure of the system's. */
export const withoutCutShort = (
  answers: readonly ClientAnswer[],
  stoppedMs: number,
): readonly ClientAnswer[] =>
  answers.filter(
    ({ status, startedMs, endedMs }) =>
      status !== 0 || endedMs < stoppedMs || startedMs <= stoppedMs - answerDueMs,
  );

/**
 * Whether orders hung when the load ended, in words: those of which nobody knows that they were sent, because none
 * after them had an answer, are found by the silence alone.
 */
export function hungAtTheEnd(answers: readonly ClientAnswer[], stoppedMs: number): string[] {
  const lastMs = answers.reduce(
    (last, { fate, startedMs }) => (fate === "accepted" ? Math.max(last, startedMs) : last),
    Number.NEGATIVE_INFINITY,
  );
  if (lastMs > stoppedMs - answerDueMs) return [];
  return [`no order that was sent in the last ${answerDueMs / 1_000} s of the load was accepted`];
}
