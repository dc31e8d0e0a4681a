/** Waits for conditions, never for a time; and no wait is without an end. */

/** Waits until something holds; false if it still doesn't after `limitMs`. */
export async function comesTrue(
  holds: () => boolean | Promise<boolean>,
  limitMs = 10_000,
  pollMs = 50,
): Promise<boolean> {
  return polled(holds, limitMs, pollMs);
}

/**
 * Waits until a condition gives something truthy, and gives that.
 * @throws Error that names the condition when the time is over
 */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  limitMs = 60_000,
): Promise<NonNullable<T>> {
  const found = await polled(condition, limitMs, 10);
  if (!found) throw new Error(`not within ${limitMs} ms: ${what}`);
  return found;
}

/**
 * Waits until a count is 0, for as long as it changes: who is slow is no reason to end, but who has stopped. It ends when
 * the count has not changed for `limitMs`, and after ten times as long whatever it does.
 * @returns the count then
 */
export async function countedDown(
  count: () => number | Promise<number>,
  limitMs: number,
  pollMs: number,
): Promise<number> {
  const startMs = performance.now();
  let [left, changedMs] = [Number.NaN, startMs];
  await polled(
    async () => {
      const now = await count();
      if (now !== left) changedMs = performance.now();
      left = now;
      return left === 0 || performance.now() >= changedMs + limitMs;
    },
    10 * limitMs,
    pollMs,
  );
  return left;
}

/**
 * Asks until there is an answer, as long as what comes in its place is an error that passes by itself.
 * @throws every other error, and in the end that one
 */
export async function answered<T>(
  ask: () => Promise<T>,
  passes: (error: Error & { code?: number }) => boolean,
  limitMs = 60_000,
): Promise<T> {
  const deadline = performance.now() + limitMs;
  for (;;)
    try {
      return await ask();
    } catch (error) {
      if (!passes(error as Error) || performance.now() > deadline) throw error;
      await Bun.sleep(10);
    }
}

/** What the condition gave last. */
async function polled<T>(condition: () => T | Promise<T>, limitMs: number, pollMs: number): Promise<T> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const found = await condition();
    if (found || performance.now() > deadline) return found;
    await Bun.sleep(pollMs);
  }
}
