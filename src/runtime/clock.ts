/** Time as the consumer's core takes it: the process's own, or a simulation's, in which a minute takes no time. */
export type Clock = {
  /** Milliseconds on a scale of its own that is never set back. */
  nowMs(): number;
  /** Milliseconds since the epoch, for what comes from elsewhere. */
  epochMs(): number;
  sleep(ms: number): Promise<void>;
  /** Calls it later. @returns what calls it off */
  timer(ms: number, action: () => void): () => void;
  /** Lets whatever else is waiting have its turn. */
  nextTurn(): Promise<void>;
};

export const realClock: Clock = {
  nowMs: () => performance.now(),
  epochMs: () => Date.now(),
  sleep: (ms) => Bun.sleep(ms),
  timer(ms, action) {
    const timer = setTimeout(action, ms);
    return () => clearTimeout(timer);
  },
  nextTurn: () => new Promise((resolve) => setImmediate(resolve)),
};

/** How long to wait after so many failed attempts (at least 1): exponential, bounded, with full jitter. */
export const backoffMs = (failures: number, baseMs: number, maxMs: number, random = Math.random): number =>
  Math.ceil(random() * Math.min(maxMs, baseMs * 2 ** Math.min(failures - 1, 30)));
