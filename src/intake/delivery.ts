/**
 * Orders on their way to Kafka: held for their group, sent, answered. An order is accepted only by its delivery report; what
 * Kafka's client does not take is refused, for certain; every other ending is unknown.
 */
import type { ProducerConfig } from "../config.ts";
import type { Report } from "../kafka/reports.ts";
import { partyOf } from "../order.ts";
import { OutcomeError } from "../outcomes.ts";
import type { Logger } from "../runtime/log.ts";
import { createGroups } from "./groups.ts";
import type { IntakeMetrics } from "./metrics.ts";
import { createPartitioner } from "./partitioner.ts";
import type { Acceptance, Pending } from "./pending.ts";
import { createRepublisher } from "./republisher.ts";
import { createSession } from "./session.ts";

/** As old as this, an unacknowledged order makes the batch partitioner pass over its partition. */
const availabilityTimeoutMs = 300;
const lookAfterEveryMs = 100;

/** @param on.accepted an order was acknowledged, be it answered already; @param on.ended an order gets its answer now */
export function createDelivery(
  config: ProducerConfig,
  log: Logger,
  metrics: IntakeMetrics,
  on: { accepted: (order: Pending, acceptance: Acceptance) => void; ended: (order: Pending) => void },
) {
  const { PARTITIONER: kind, MAX_IN_FLIGHT_ORDERS: mostOrders } = config;
  /** Orders without their answer, the oldest first. */
  const pending = new Map<string, Pending>();
  /** No order is taken before it knows how many partitions there are. */
  const partitioner = createPartitioner({ kind, partitions: 1, availabilityTimeoutMs });

  const session = createSession(config, log, metrics, {
    onPartitions: partitioner.resize,
    onFatal(reason) {
      metrics.clientsReplaced.inc();
      for (const order of pending.values())
        if (order.group > 0) unknown(order, "the Kafka client failed", reason);
      partitioner.forget();
      republisher.forget();
    },
  });
  const groups = createGroups<Pending>({
    windowMs: config.BATCH_WINDOW_MS,
    // By customer a group is a request for each partition, answered one by one: those who were answered come in between.
    gathers: kind === "batch",
    send(held, group) {
      const nowMs = performance.now();
      // Whose time was over while it was held has its answer.
      const orders = held.filter(({ done }) => !done);
      for (let n = orders.length; n < held.length; n += 1) groups.settled(group);
      const partitionOf = partitioner.forGroup(nowMs);
      for (const order of orders) {
        order.group = group;
        order.record.partition = partitionOf(partyOf(order.order));
      }
      for (const [order, why] of send(orders, nowMs)) finish(order).reject(why);
    },
  });
  const republisher = createRepublisher({
    mostOrders,
    promptMs: availabilityTimeoutMs,
    available: partitioner.available,
    send(order, nowMs) {
      const why = send([order], nowMs).get(order);
      if (why) log.warn({ err: why }, "republishing failed, the first copy is waited for");
      else metrics.republished.inc();
      return why === undefined;
    },
  });
  const lookingAfter = setInterval(() => {
    const nowMs = performance.now();
    // Whatever its copies wait for: their own time limits begin when they are sent.
    for (const order of pending.values())
      if (order.given.deadlineMs <= nowMs) unknown(order, "no acknowledgement in time");
    if (kind === "batch") republisher.republish(pending.values(), nowMs);
  }, lookAfterEveryMs);

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

  function settle(order: Pending, { error, code, partition, offset }: Report): void {
    partitioner.settled(partition);
    order.copies -= 1;
    republisher.settled(order);
    if (error !== undefined) {
      if (code === 32) session.refuse(`the clock here or at the brokers is wrong: ${error}`); // INVALID_TIMESTAMP
      // Another copy's report is the answer, if there is one.
      if (order.copies === 0) unknown(order, "no acknowledgement", error);
      return;
    }
    const acceptance = { id: order.id, partition, offset: offset ?? null };
    on.accepted(order, acceptance);
    if (order.done) return;
    const nowMs = performance.now();
    const waitedMs = nowMs - order.sinceMs;
    order.lane.overload.acknowledged(waitedMs, nowMs);
    republisher.acknowledged(order, waitedMs, partition);
    metrics.deliverySeconds.observe(waitedMs / 1_000);
    finish(order).resolve(acceptance);
  }

  /** It was handed over, and there is no report, or a bad one. @param kafka what Kafka said */
  function unknown(order: Pending, why: string, kafka?: string): void {
    if (order.done) return;
    const detail = `${why}; send it again with the same Idempotency-Key`;
    finish(order).reject(new OutcomeError("delivery_unknown", detail, { id: order.id }, kafka ?? why));
  }

  function finish(order: Pending): Pending["answer"] {
    order.done = true;
    pending.delete(order.id);
    on.ended(order);
    groups.settled(order.group);
    return order.answer;
  }
  return {
    obstacle: session.obstacle,
    /** The partition of a customer's orders, where the customer decides. */
    partitionOf: (customer: string): number => partitioner.forGroup(0)(customer),
    pending: (id: string): Pending | undefined => pending.get(id),
    /** Takes an order on, which gets its answer by its deadline. */
    add(order: Pending): void {
      pending.set(order.id, order);
      groups.add(order);
    },
    /** Sends what is held, waits for reports, at most for so long, and closes. @returns how many orders had none by then */
    async close(timeoutMs: number): Promise<number> {
      groups.flush();
      await session.flush(timeoutMs);
      clearInterval(lookingAfter);
      const givenUp = pending.size;
      for (const order of pending.values()) unknown(order, "this producer shut down first");
      await session.close();
      return givenUp;
    },
  };
}
