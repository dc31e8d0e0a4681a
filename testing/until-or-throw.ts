/** Tests wait for conditions, never for a time; and no wait is without an end. */

const pollMs = 10;

/**
 * Waits until a condition gives something truthy, and gives that.
 * @throws Error that names the condition when the time is over
 */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  timeoutMs = 30_000,
): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const found = await condition();
    if (found) return found;
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await Bun.sleep(pollMs);
  }
}
