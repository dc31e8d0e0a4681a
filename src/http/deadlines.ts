/** Time limits of the same length, as every request has, with one timer for all of them instead of one each. */

type Limited = { dueMs: number; late: () => void };

/** By length; the oldest first, which is due first. */
const lengths = new Map<number, Set<Limited>>();

/** Calls `late` after the time limit. @returns what to call when that is not to happen any more */
export function withDeadline(limitMs: number, late: () => void): () => void {
  const limited = { dueMs: performance.now() + limitMs, late };
  let all = lengths.get(limitMs);
  if (!all) {
    all = new Set();
    lengths.set(limitMs, all);
    setTimeout(expire, limitMs, limitMs, all);
  }
  all.add(limited);
  return () => all.delete(limited);
}

function expire(limitMs: number, all: Set<Limited>): void {
  const nowMs = performance.now();
  const due = [...all].filter(({ dueMs }) => dueMs <= nowMs);
  for (const limited of due) all.delete(limited);
  // Before anybody is told: whatever they do, the others have their time limits.
  const [next] = all;
  if (next) setTimeout(expire, next.dueMs - nowMs, limitMs, all);
  else lengths.delete(limitMs);
  for (const { late } of due) late();
}
