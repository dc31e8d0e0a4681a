/**
 * What may be under way at once, by what it costs: bytes are reserved before a body is read, orders when they are known.
 * Batches may have half of either, so that no single order waits for one or is refused because of one.
 */

/** What a request brings: one order, or many. */
export type Kind = "single" | "batch";

/** Of whatever is bounded, the most that batches may have. */
export const shareOfBatches = 1 / 2;

/** @param maxBytes of bodies that are read and of orders without their report */
export function createAdmission(maxOrders: number, maxBytes: number) {
  const orders = { single: 0, batch: 0 };
  const bytes = { single: 0, batch: 0 };

  return {
    bytes: () => bytes.single + bytes.batch,

    /** Why no more is taken of this kind, in words; undefined when more is. @param moreBytes that would come */
    full(kind: Kind, moreBytes: number): string | undefined {
      const batch = kind === "batch";
      const waiting = batch ? orders.batch : orders.single + orders.batch;
      const most = batch ? maxOrders * shareOfBatches : maxOrders;
      if (waiting >= most || orders.single + orders.batch >= maxOrders)
        return `${waiting} orders wait for their acknowledgement, no more may`;
      const allBytes = bytes.single + bytes.batch + moreBytes;
      if (allBytes > maxBytes || (batch && bytes.batch + moreBytes > maxBytes * shareOfBatches))
        return "as many bytes as may be wait for their acknowledgement";
      return undefined;
    },

    /** Bytes of a body that is about to be read, or of an order, if `count` is 1. Every call has its `leave`. */
    enter(kind: Kind, size: number, count: 0 | 1): void {
      orders[kind] += count;
      bytes[kind] += size;
    },
    leave(kind: Kind, size: number, count: 0 | 1): void {
      orders[kind] -= count;
      bytes[kind] -= size;
    },
  };
}
