/**
 * Orders that wait for a broker that died go once more, under the same id, to a partition that works; the first report
 * answers, the ledger recognises the copy. Never when all are slow, as more work would make them slower: only where an
 * order that was sent later was acknowledged promptly, and to that very partition. At most once an order, and only so
 * many at a time.
 */
import type { Pending } from "./pending.ts";

/** As old as this, an order is sent once more: well above any acknowledgement of healthy brokers. */
const republishAfterMs = 1_000;

/**
 * @param maxCopies under way at once
 * @param send sends one copy more, if the partition acknowledges what is sent there. @returns whether it was taken
 */
export function createRepublisher(
  maxCopies: number,
  send: (order: Pending, partition: number, nowMs: number) => boolean,
) {
  /** Of all orders that were acknowledged promptly, the one sent last: proof that its partition works. */
  let proof = { sentMs: Number.NEGATIVE_INFINITY, partition: 0 };
  /** Orders sent once more of which a copy is still on its way, be they answered or not. */
  let copies = 0;

  return {
    /** An order was acknowledged promptly. */
    prompt({ sinceMs }: Pending, partition: number): void {
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
    run(waiting: Iterable<Pending>, nowMs: number): void {
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
