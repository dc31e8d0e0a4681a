/**
 * Orders that wait for a broker that died go once more, under the same id, to a partition that works; the first report
 * answers, the ledger recognises the copy. Never when all are slow, as more work would make them slower: only where an
 * order that was sent later was acknowledged promptly, and to that very partition. At most once an order, and only so
 * many at a time.
 */

/** As old as this, an order is sent once more: well above any acknowledgement of healthy brokers. */
const republishAfterMs = 1_000;

/** An order without its report. */
type Waiting = { sinceMs: number; republished?: true };

/** @param options.maxCopies under way at once */
export function createRepublisher<Order extends Waiting>(options: {
  maxCopies: number;
  /** Whether a partition has acknowledged what was sent there. */
  available: (partition: number, nowMs: number) => boolean;
  /** Sends one copy more. @returns whether it was taken */
  send: (order: Order, partition: number, nowMs: number) => boolean;
}) {
  const { maxCopies, available, send } = options;
  /** Of all orders that were acknowledged promptly, the one sent last: proof that its partition works. */
  let proof = { sentMs: Number.NEGATIVE_INFINITY, partition: 0 };
  /** Orders sent once more of which a copy is still on its way, be they answered or not. */
  let copies = 0;

  return {
    /** An order was acknowledged promptly. */
    prompt({ sinceMs }: Waiting, partition: number): void {
      if (sinceMs > proof.sentMs) proof = { sentMs: sinceMs, partition };
    },
    /** One of the two copies of an order that was sent once more has its report. */
    settled(): void {
      copies -= 1;
    },
    /** No copy will have a report. */
    forgotten(): void {
      copies = 0;
    },
    /** Sends once more what has waited for too long, of `waiting`, oldest first. */
    run(waiting: Iterable<Order>, nowMs: number): void {
      if (!available(proof.partition, nowMs)) return;
      for (const order of waiting) {
        if (nowMs - order.sinceMs < republishAfterMs || order.sinceMs >= proof.sentMs) return;
        if (order.republished) continue;
        if (copies >= maxCopies || !send(order, proof.partition, nowMs)) return;
        order.republished = true;
        copies += 1;
      }
    },
  };
}
