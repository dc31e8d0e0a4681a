/** How long to wait before another attempt: exponential, bounded, with full jitter, so that retries spread out. */

/** Milliseconds before the attempt after `failures` failed ones (at least 1). */
export const backoffMs = (failures: number, baseMs: number, maxMs: number, random = Math.random): number =>
  Math.ceil(random() * Math.min(maxMs, baseMs * 2 ** Math.min(failures - 1, 30)));
