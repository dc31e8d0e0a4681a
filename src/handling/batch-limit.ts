/**
 * How many orders share a ledger transaction: as many as their handlers finish within a part of the time that a batch
 * has. Handlers run side by side, so it is the batch that is measured: one that waits for something is not made
 * quicker by smaller batches. The ledger's own time is left out: most of it is the same for one order as for a thousand.
 */

/** Within it the limit doubles; from there up to the longest it stays; beyond, a batch might not end in its time. */
const targetMs = 400;
const longestMs = 700;
const first = 64;

/** @param maxOrders never more than this */
export function createBatchLimit(maxOrders: number) {
  let limit = Math.min(first, maxOrders);
  return {
    current: (): number => limit,
    /** A batch succeeded, its handlers within so many milliseconds. */
    succeeded(orders: number, handlersMs: number): void {
      if (handlersMs <= targetMs) limit = Math.max(limit, Math.min(orders * 2, maxOrders));
      else if (handlersMs > longestMs) limit = Math.max(1, Math.floor((orders * targetMs) / handlersMs));
    },
    /** Many of a batch did not end in its time: orders go one by one. */
    brokenOff(): void {
      limit = 1;
    },
  };
}
