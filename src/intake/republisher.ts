/**
 * Orders that wait for a broker that died go once more, under the same id, to a partition that works; the first report answers,
 * the ledger recognises the copy. Not when all are slow: only where an order that was sent later was acknowledged promptly, and
 * to that partition. Once an order, only so many at a time, and not where a copy would come out of turn.
 */
import type { Pending } from "./pending.ts";

/** As old as this, an order is sent once more: well above any acknowledgement of healthy brokers. */
const republishAfterMs = 1_000;
/** Copies under way at once, as a part of the orders that may be: a fault of one broker of three needs no more. */
const republishShare = 1 / 4;

/** @param options.send sends an order to its record's partition once more. @returns whether Kafka's client took it */
export function createRepublisher(options: {
  mostOrders: number;
  promptMs: number;
  available: (partition: number, nowMs: number) => boolean;
  send: (order: Pending, nowMs: number) => boolean;
}) {
  /** Of all orders that were acknowledged promptly, the one sent last: proof that its partition works. */
  let proof = { sentMs: Number.NEGATIVE_INFINITY, partition: 0 };
  /** Orders sent once more of which a copy is still on its way, be they answered or not. */
  let doubled = 0;
  return {
    acknowledged({ sinceMs }: Pending, waitedMs: number, partition: number): void {
      if (waitedMs < options.promptMs && sinceMs > proof.sentMs) proof = { sentMs: sinceMs, partition };
    },
    /** A copy of the order got its report. */
    settled({ republished, copies }: Pending): void {
      if (republished && copies === 0) doubled -= 1;
    },
    /** No copy that is on its way gets a report any more. */
    forget(): void {
      doubled = 0;
    },
    /** @param pending all orders without an answer, the oldest first */
    republish(pending: Iterable<Pending>, nowMs: number): void {
      const { sentMs, partition } = proof;
      if (!options.available(partition, nowMs)) return;
      for (const order of pending) {
        if (nowMs - order.sinceMs < republishAfterMs || order.sinceMs >= sentMs) return;
        if (order.republished) continue;
        if (doubled >= options.mostOrders * republishShare) return;
        order.record.partition = partition;
        order.republished = options.send(order, nowMs);
        if (!order.republished) return;
        doubled += 1;
      }
    },
  };
}
