/** Time as the consumer's core takes it: the process's own, or a simulation's, in which a minute takes no time. */
export type Clock = typeof realClock;

export const realClock = {
  /** Milliseconds on a scale of its own that is never set back. */
  nowMs: (): number => performance.now(),
  /** Milliseconds since the epoch, for what comes from elsewhere. */
  epochMs: (): number => Date.now(),
  sleep: (ms: number): Promise<void> => Bun.sleep(ms),
  /** Calls it later. @returns what calls it off */
  timer(ms: number, action: () => void): () => void {
    const timer = setTimeout(action, ms);
    return () => clearTimeout(timer);
  },
  /** Lets whatever else is waiting have its turn. */
  nextTurn: (): Promise<void> => new Promise((resolve) => setImmediate(resolve)),
};

/** How long to wait after so many failed attempts (at least 1): exponential, bounded, with full jitter. */
export const backoffMs = (failures: number, baseMs: number, maxMs: number, random = Math.random): number =>
  Math.ceil(random() * Math.min(maxMs, baseMs * 2 ** Math.min(failures - 1, 30)));
