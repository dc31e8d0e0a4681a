/**
 * Copies of orders, each with its report unless Kafka's client is lost. Orders that wait for a broker that died go once more, under
 * the same id, to a partition that works: to one where an order that was sent later was acknowledged promptly. The first report
 * answers, the ledger recognises the copy. Once an order, only so many at a time, and not where a copy would come out of turn.
 */
import type { Report } from "../kafka/reports.ts";
import { partyOf } from "../order.ts";
import type { OutcomeError } from "../outcomes.ts";
import type { IntakeParts } from "./metrics.ts";
import { availabilityTimeoutMs, createPartitioner } from "./partitioner.ts";
import type { Pending } from "./pending.ts";
import { createSession } from "./session.ts";

/** As old as this, an order is sent once more: well above any acknowledgement of healthy brokers. */
const republishAfterMs = 1_000;
/** Copies under way at once, as a part of the orders that may be: a fault of one broker of three needs no more. */
const republishShare = 1 / 4;

/** @param on.reported a copy got its report, and is no longer counted; @param on.lost none that is on its way gets one any more */
export function createCopies(
  parts: IntakeParts,
  on: { reported: (order: Pending, report: Report) => void; lost: (reason: string) => void },
) {
  const { config, log, metrics } = parts;
  const { PARTITIONER: kind, MAX_IN_FLIGHT_ORDERS: mostOrders } = config;
  const partitioner = createPartitioner(kind);
  /** Of all orders that were acknowledged promptly, the one sent last: proof that its partition works. */
  let proof = { sentMs: Number.NEGATIVE_INFINITY, partition: 0 };
  /** Orders sent once more of which a copy is still on its way, be they answered or not. */
  let doubled = 0;
  /** Since when brokers refuse all that comes, by their own word: after a second it is no order's fault, e.g. a policy. */
  let refusingSinceMs = Infinity;
  const session = createSession(parts, {
    onPartitions: partitioner.resize,
    onFatal(reason) {
      metrics.clientsReplaced.inc();
      on.lost(reason);
      partitioner.forget();
      doubled = 0;
    },
  });

  /** Sends each to its record's partition. @returns those that Kafka's client did not take: not sent, for certain */
  function send(orders: readonly Pending[], nowMs: number): Map<Pending, OutcomeError> {
    for (const order of orders) order.copies += 1;
    const records = orders.map(({ record }) => record);
    const refusals = session.produceAll(records, (n, report) => settle(orders[n] as Pending, report));
    const refused = new Map(refusals.map(([n, why]) => [orders[n] as Pending, why]));
    for (const order of orders)
      if (refused.has(order)) order.copies -= 1;
      else partitioner.sent(order.record.partition, nowMs);
    return refused;
  }

  function settle(order: Pending, report: Report): void {
    partitioner.settled(report.partition);
    order.copies -= 1;
    if (order.republished && order.copies === 0) doubled -= 1;
    const { code, error } = report;
    if (code >= -1) refusingSinceMs = code === 0 ? Infinity : Math.min(refusingSinceMs, performance.now());
    if (code === 32) session.refuse(`the clock here or at the brokers is wrong: ${error}`);
    else if (code !== 0 && code >= -1 && performance.now() > refusingSinceMs + 1_000)
      session.refuse(`the brokers refuse every order: ${error}`);
    on.reported(order, report);
  }
  return {
    obstacle: session.obstacle,
    flush: session.flush,
    close: session.close,
    /** The partition of a customer's orders, where the customer decides. */
    partitionOf: (customer: string): number => partitioner.forGroup(0)(customer),
    /** Sends a group of orders, each for the first time. @returns as `send` */
    sendGroup(orders: readonly Pending[]): Map<Pending, OutcomeError> {
      const nowMs = performance.now();
      const partitionOf = partitioner.forGroup(nowMs);
      for (const order of orders) order.record.partition = partitionOf(partyOf(order.order));
      return send(orders, nowMs);
    },
    acknowledged({ sinceMs }: Pending, waitedMs: number, partition: number): void {
      if (waitedMs < availabilityTimeoutMs && sinceMs > proof.sentMs) proof = { sentMs: sinceMs, partition };
    },
    /** @param pending all orders without an answer, the oldest first */
    republish(pending: Iterable<Pending>, nowMs: number): void {
      const { sentMs, partition } = proof;
      if (kind === "customer" || !partitioner.available(partition, nowMs)) return;
      for (const order of pending) {
        if (nowMs - order.sinceMs < republishAfterMs || order.sinceMs >= sentMs) return;
        if (order.republished) continue;
        if (doubled >= mostOrders * republishShare) return;
        order.record.partition = partition;
        const why = send([order], nowMs).get(order);
        if (why) log.warn({ err: why }, "republishing failed, the first copy is waited for");
        if (why) return;
        metrics.republished.inc();
        order.republished = true;
        doubled += 1;
      }
    },
  };
}
