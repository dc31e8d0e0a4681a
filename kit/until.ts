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

/** What the condition gave last. */
async function polled<T>(condition: () => T | Promise<T>, limitMs: number, pollMs: number): Promise<T> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const found = await condition();
    if (found || performance.now() > deadline) return found;
    await Bun.sleep(pollMs);
  }
}
