/** By when a request has to be answered, as the balancer says it on every try (`Answer-By`, lb/haproxy.cfg). */

/** Never less: clocks of two hosts differ. The balancer's last try begins when the time is up, and lasts 7.5 s. */
const leastMs = 1_000;

/**
 * @param answerBy milliseconds since the epoch as text; null without a balancer, and what is no such text counts as none
 * @param mostMs the time where nothing else is said, and the most
 * @returns milliseconds from now
 */
export function timeLeftMs(answerBy: string | null, mostMs: number): number {
  if (answerBy === null || !/^\d{13}$/.test(answerBy)) return mostMs;
  return Math.min(mostMs, Math.max(leastMs, Number(answerBy) - Date.now()));
}
