/**
 * Orders on their way to Kafka: held for their group, sent, answered. An order is accepted only by its delivery report; what
 * Kafka's client does not take is refused, for certain; every other ending is unknown.
 */
import type { Report } from "../kafka/reports.ts";
import { OutcomeError } from "../outcomes.ts";
import { createCopies } from "./copies.ts";
import { createGroups } from "./groups.ts";
import type { IntakeParts } from "./metrics.ts";
import type { Acceptance, Pending } from "./pending.ts";

const lookAfterEveryMs = 100;

/** @param on.accepted an order was acknowledged, be it answered already; @param on.ended an order gets its answer now */
export function createDelivery(
  parts: IntakeParts,
  on: { accepted: (order: Pending, acceptance: Acceptance) => void; ended: (order: Pending) => void },
) {
  const { config, metrics } = parts;
  /** Orders without their answer, the oldest first. */
  const pending = new Map<string, Pending>();
  const copies = createCopies(parts, {
    reported: settle,
    lost(reason) {
      for (const order of pending.values())
        if (order.group > 0) unknown(order, "the Kafka client failed", reason);
    },
  });
  const groups = createGroups<Pending>({
    // What is held for long would look like overload.
    windowMs: Math.min(config.BATCH_WINDOW_MS, config.OVERLOAD_AFTER_MS / 2),
    // By customer a group is a request for each partition, answered one by one: those who were answered come in between.
    gathers: config.PARTITIONER === "batch",
    send(held, group) {
      // Whose time was over while it was held has its answer.
      const orders = held.filter(({ done }) => !done);
      for (let n = orders.length; n < held.length; n += 1) groups.settled(group);
      for (const order of orders) order.group = group;
      for (const [order, why] of copies.sendGroup(orders)) finish(order).reject(why);
    },
  });
  const lookingAfter = setInterval(() => {
    const nowMs = performance.now();
    // Whatever its copies wait for: their own time limits begin when they are sent.
    for (const order of pending.values())
      if (order.given.deadlineMs <= nowMs) unknown(order, "no acknowledgement in time");
    copies.republish(pending.values(), nowMs);
  }, lookAfterEveryMs);

  function settle(order: Pending, { error, partition, offset }: Report): void {
    if (error !== undefined || offset === undefined) {
      // Another copy's report is the answer, if there is one.
      if (order.copies === 0) unknown(order, "no acknowledgement", error);
      return;
    }
    const acceptance = { id: order.id, partition, offset };
    on.accepted(order, acceptance);
    if (order.done) return;
    const nowMs = performance.now();
    const waitedMs = nowMs - order.sinceMs;
    order.lane.overload.acknowledged(waitedMs, nowMs);
    copies.acknowledged(order, waitedMs, partition);
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
    obstacle: copies.obstacle,
    partitionOf: copies.partitionOf,
    pending: (id: string): Pending | undefined => pending.get(id),
    /** Takes an order on, which gets its answer by its deadline. */
    add(order: Pending): void {
      pending.set(order.id, order);
      groups.add(order);
    },
    /** Sends what is held, waits for reports, at most for so long, and closes. @returns how many orders had none by then */
    async close(timeoutMs: number): Promise<number> {
      groups.flush();
      await copies.flush(timeoutMs);
      clearInterval(lookingAfter);
      const givenUp = pending.size;
      for (const order of pending.values()) unknown(order, "this producer shut down first");
      await copies.close();
      return givenUp;
    },
  };
}
