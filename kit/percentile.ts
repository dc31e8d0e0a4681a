/** The value that so many percent of sorted values do not exceed (nearest rank); 0 where there are none. */
export const percentile = (sorted: readonly number[], percent: number): number =>
  sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? 0;

/** Numbers in ascending order, as `percentile` wants them. */
export const ascending = (values: Iterable<number>): number[] => [...values].sort((a, b) => a - b);
