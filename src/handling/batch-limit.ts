/**
 * How many orders share a ledger transaction: as many as their handlers finish within a short time, so that a quick
 * handler gets large batches and a slow one gets a transaction for each order. The ledger's own time is left out:
 * most of it is the same for one order as for a thousand, and would only make small batches smaller. Doubles while it
 * pays, halves on a failure.
 */

const targetMs = 100;
const first = 64;

/** @param maxOrders never more than this */
export function createBatchLimit(maxOrders: number) {
  let limit = Math.min(first, maxOrders);
  let msPerOrder = 0;
  return {
    current: (): number => limit,
    /** A batch succeeded, its handlers within so many milliseconds. */
    succeeded(orders: number, handlersMs: number): void {
      msPerOrder += (handlersMs / orders - msPerOrder) / 4;
      const affordable = Math.floor(targetMs / Math.max(msPerOrder, targetMs / maxOrders));
      limit = Math.max(1, Math.min(limit * 2, affordable, maxOrders));
    },
    /** A batch failed or took too long: smaller ones isolate the order at fault. */
    failed(orders: number): void {
      limit = Math.max(1, Math.floor(Math.min(limit, orders) / 2));
    },
    /** A batch had to be broken off: its orders go one by one. */
    brokenOff(): void {
      limit = 1;
    },
  };
}
