/**
 * How a good client reads an answer and when it tries again: with the same key, at most three times within 35 s, not
 * before the server allows it. Pure, for every client of the project, whatever runs it.
 */

/** Longest time for one order, over all tries; above the balancer's 30 s (lb/haproxy.cfg). */
export const orderLimitMs = 35_000;
export const maxRetries = 3;
/** How often a client whose key may change looks which it is to show. */
export const keysEveryMs = 2_000;
/** Three waits of at least 6.5 s together outlast a balancer that dies and is started again. */
const retryBaseMs = 500;
const retryFactor = 3;

/** What an answer that is not a 202 says of the order, by the table of answers in the README. */
export type Setback = { fate: "refused" | "unknown"; again: boolean };

/**
 * @param status the answer's, 0 where there was none or half of one
 * @param said the answer's member `fate`: unknown counts whatever the status, refused only where that allows it
 */
export function readSetback(status: number, said?: string): Setback {
  const faulty = status >= 400 && status < 500 && status !== 408 && status !== 429;
  const refused = faulty || status === 408 || status === 429 || status === 503;
  return { fate: refused && said !== "unknown" ? "refused" : "unknown", again: !faulty };
}

/**
 * How long to wait before the next try; longer each time, and not for everybody the same.
 * @param tries so far, @param retryAfter the header, if there is one
 */
export function waitBeforeRetryMs(tries: number, retryAfter: string | null | undefined): number {
  const backoffMs = retryBaseMs * retryFactor ** (tries - 1) * (1 + Math.random());
  return Math.max(backoffMs, (Number(retryAfter) || 0) * 1_000);
}
