/** Waits until something holds; false if it still doesn't after `limitMs`. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  limitMs = 10_000,
  pollMs = 50,
): Promise<boolean> {
  const deadline = performance.now() + limitMs;
  while (!(await holds())) {
    if (performance.now() > deadline) return false;
    await Bun.sleep(pollMs);
  }
  return true;
}
