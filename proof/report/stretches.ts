/** Time as stretches: what belongs together because it is close together. */

export type Stretch = { fromMs: number; toMs: number };

/** The stretches that times make; a new one begins after a gap of more than `gapMs`. */
export function stretchesOf(timesMs: readonly number[], gapMs: number): Stretch[] {
  const found: Stretch[] = [];
  for (const atMs of timesMs.toSorted((a, b) => a - b)) {
    const last = found.at(-1);
    if (last && atMs - last.toMs <= gapMs) last.toMs = atMs;
    else found.push({ fromMs: atMs, toMs: atMs });
  }
  return found;
}

export const lengthMs = ({ fromMs, toMs }: Stretch): number => toMs - fromMs;
