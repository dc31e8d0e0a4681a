/**
 * What may be under way at once, by what it costs: bytes are reserved before a body is read, orders when they are known.
 * Batches may have the half of either, so that no single order waits for one or is refused because of one.
 */

/** What a request brings: one order, or many. */
export type Kind = "single" | "batch";

const shareOfBatches = 1 / 2;

/**
 * @param options.maxBytes of bodies that are read and of orders without their report
 * @param options.limit how many orders may be under way just now
 */
export function createAdmission(options: { maxBytes: number; limit: (orders: number) => number }) {
  const { maxBytes, limit } = options;
  const orders = { single: 0, batch: 0 };
  const bytes = { single: 0, batch: 0 };

  return {
    orders: () => orders.single + orders.batch,
    bytes: () => bytes.single + bytes.batch,

    /** Why no more is taken of this kind, in words; undefined when more is. @param moreBytes that would come */
    full(kind: Kind, moreBytes = 0): string | undefined {
      const batch = kind === "batch";
      const waiting = orders.single + orders.batch;
      const most = limit(waiting);
      if (waiting >= most || (batch && orders.batch >= most * shareOfBatches))
        return `${batch ? orders.batch : waiting} orders wait for their acknowledgement, ${Math.floor(batch ? most * shareOfBatches : most)} may`;
      const held = bytes.single + bytes.batch + moreBytes;
      if (held > maxBytes || (batch && bytes.batch + moreBytes > maxBytes * shareOfBatches))
        return "as many bytes as may be are under way";
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
