/**
 * How long a request may still take. The balancer says by when it has to be answered, in `Answer-By`, the same on every
 * try (lb/haproxy.cfg): so a replay does not begin anew, and what waits for an answer gets one before it is given up.
 */

/**
 * Never less: clocks of two hosts differ, and an order that is here is worth a try. The balancer allows for it, since its
 * last try begins when the time is up and lasts 7.5 s.
 */
const leastMs = 1_000;

/**
 * @param answerBy milliseconds since the epoch as text, null without a balancer; what is no such text counts as none
 * @param mostMs the time where nothing else is said, and the most
 * @returns milliseconds from now
 */
export function timeLeftMs(answerBy: string | null, mostMs: number): number {
  if (answerBy === null || !/^\d{13}$/.test(answerBy)) return mostMs;
  return Math.min(mostMs, Math.max(leastMs, Number(answerBy) - Date.now()));
}
