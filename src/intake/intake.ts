/**
 * An order's way to Kafka: it is accepted only by its delivery report. Every other ending is refused, which is
 * certain and known before anything was sent, or unknown. At most so many orders and bytes are under way.
 */

import { drainAnswerMs, type ProducerConfig } from "../config.ts";
import type { Report } from "../kafka/reports.ts";
import type { Order } from "../order.ts";
import { OutcomeError } from "../outcomes.ts";
import type { Logger } from "../runtime/log.ts";
import { canonicalJson } from "../wire/canonical.ts";
import { orderId } from "../wire/order-id.ts";
import { createAdmission, type Kind, type Lane } from "./admission.ts";
import { createGroups } from "./groups.ts";
import type { IntakeMetrics } from "./metrics.ts";
import { createPartitioner } from "./partitioner.ts";
import { type Acceptance, type Given, type Pending, pendingOf } from "./pending.ts";
import { createRecent } from "./recent.ts";
import { createSession } from "./session.ts";

export type Intake = ReturnType<typeof createIntake>;

const recentOrders = 10_000;
/** As old as this, an unacknowledged order makes the batch partitioner pass over its partition. */
const availabilityTimeoutMs = 300;
const lookAfterEveryMs = 100;
/** As old as this, an order is sent once more: well above any acknowledgement of healthy brokers. */
const republishAfterMs = 1_000;
/** Copies under way at once, as a part of the orders that may be: a fault of one broker of three needs no more. */
const republishShare = 1 / 4;

/** Starts connecting to Kafka at once; orders are refused until that is done. */
export function createIntake(config: ProducerConfig, log: Logger, metrics: IntakeMetrics) {
  const { PARTITIONER: kind, MAX_IN_FLIGHT_ORDERS: mostOrders } = config;
  const pending = new Map<string, Pending>();
  const recent = createRecent<{ order: Order; acceptance: Acceptance }>(recentOrders);
  const admission = createAdmission(config, metrics);
  const partitionerOf = (partitions: number) =>
    createPartitioner({ kind, partitions, availabilityTimeoutMs });
  /** Another one with each client; no order is taken before there is one. */
  let partitioner = partitionerOf(1);
  /** Of all orders that were acknowledged promptly, the one sent last: proof that its partition works. */
  let proof = { sentMs: Number.NEGATIVE_INFINITY, partition: 0 };
  /** Orders sent once more of which a copy is still on its way, be they answered or not. */
  let doubled = 0;
  let draining: "no" | "noticed" | "refusing" = "no";

  const session = createSession(config, log, {
    onOpen(partitions) {
      partitioner = partitionerOf(partitions);
    },
    onPartitions: (partitions) => partitioner.resize(partitions),
    onFatal(reason) {
      metrics.clientsReplaced.inc();
      for (const order of pending.values())
        if (order.group > 0) unknown(order, `the Kafka client failed: ${reason}`);
      doubled = 0;
    },
    onStatistics({ brokersUp, queueRecords, queueBytes, roundTripMs }) {
      metrics.brokersUp.set(brokersUp);
      metrics.queueRecords.set(queueRecords);
      metrics.queueBytes.set(queueBytes);
      metrics.roundTripSeconds.set(roundTripMs / 1_000);
      metrics.inFlightOrders.set(pending.size);
      metrics.inFlightLimit.set(admission.lowestLimit());
      metrics.inFlightBytes.set(admission.bytes());
    },
  });

  function settle(order: Pending, { error, partition, offset }: Report): void {
    partitioner.settled(partition);
    order.copies -= 1;
    if (order.republished && order.copies === 0) doubled -= 1;
    if (error !== undefined) {
      // Another copy's report is the answer, if there is one.
      if (order.copies === 0) unknown(order, `no acknowledgement: ${error}`);
      return;
    }
    const acceptance = { id: order.id, partition, offset: offset ?? null };
    recent.add(order.id, { order: order.order, acceptance });
    if (order.done) return;
    const nowMs = performance.now();
    const waitedMs = nowMs - order.sinceMs;
    order.lane.overload.acknowledged(waitedMs, nowMs);
    if (waitedMs < availabilityTimeoutMs && order.sinceMs > proof.sentMs)
      proof = { sentMs: order.sinceMs, partition };
    metrics.deliverySeconds.observe(waitedMs / 1_000);
    finish(order).resolve(acceptance);
  }

  /** @returns what answers the order */
  function finish(order: Pending): Pending["answer"] {
    order.done = true;
    pending.delete(order.id);
    admission.leave(order.given.kind, order.bytes, order.lane);
    groups.settled(order.group);
    return order.answer;
  }

  /** It was handed over, and there is no report, or a bad one. */
  function unknown(order: Pending, why: string): void {
    if (order.done) return;
    const detail = `${why}; send it again with the same Idempotency-Key`;
    finish(order).reject(new OutcomeError("delivery_unknown", detail, { id: order.id }));
  }

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
        order.record.partition = partitionOf(order.order.customer);
      }
      sendCopies(orders, nowMs, (order, why) => finish(order).reject(why));
    },
  });

  /** Sends each to its record's partition. What Kafka's client does not take is not sent, for certain. */
  function sendCopies(
    orders: readonly Pending[],
    nowMs: number,
    onRefused: (order: Pending, why: OutcomeError) => void,
  ): void {
    const refusedPlaces = new Set<number>();
    for (const order of orders) order.copies += 1;
    const records = orders.map(({ record }) => record);
    session.produceAll(records, {
      onReport: (n, report) => settle(orders[n] as Pending, report),
      onRefused(n, why) {
        const order = orders[n] as Pending;
        order.copies -= 1;
        refusedPlaces.add(n);
        onRefused(order, why);
      },
    });
    for (const [n, { partition }] of records.entries())
      if (!refusedPlaces.has(n)) partitioner.sent(partition, nowMs);
  }

  /**
   * Orders that wait for a broker that died go once more, under the same id, to a partition that works; the first report
   * answers, the ledger recognises the copy. Never when all are slow, as more work would make them slower: only where an
   * order that was sent later was acknowledged promptly, and to that very partition. At most once an order, only so many
   * at a time, and not where order matters: a copy would come out of turn.
   */
  function republish(nowMs: number): void {
    const { sentMs, partition } = proof;
    if (kind === "customer" || !partitioner.available(partition, nowMs)) return;
    for (const order of pending.values()) {
      if (nowMs - order.sinceMs < republishAfterMs || order.sinceMs >= sentMs) return;
      if (order.republished) continue;
      if (doubled >= mostOrders * republishShare) return;
      order.republished = true;
      order.record.partition = partition;
      sendCopies([order], nowMs, (_, why) => {
        log.warn({ err: why }, "republishing failed, the first copy is waited for");
        order.republished = false;
      });
      if (!order.republished) return;
      doubled += 1;
      metrics.republished.inc();
    }
  }

  const lookingAfter = setInterval(() => {
    const nowMs = performance.now();
    // Whatever its copies wait for: their own time limits begin when they are sent.
    for (const order of pending.values())
      if (order.given.deadlineMs <= nowMs) unknown(order, "no acknowledgement in time");
    republish(nowMs);
  }, lookAfterEveryMs);

  /** Of a customer's orders; undefined where the customer matters and is not known yet. */
  function laneOf(customer?: string): Lane | undefined {
    if (kind === "batch") return admission.lane(0);
    return customer === undefined ? undefined : admission.lane(partitioner.forGroup(0)(customer));
  }

  function obstacle(kind: Kind, bytes: number, lane: Lane | undefined): OutcomeError | undefined {
    if (draining === "refusing") return new OutcomeError("draining", "this producer is shutting down");
    return session.obstacle() ?? admission.obstacle(kind, bytes, lane);
  }

  return {
    /** Why nothing is taken just now; undefined when it is. Cheap: for before a body of so many bytes is read. */
    obstacle: (kind: Kind, bytes = 0): OutcomeError | undefined => obstacle(kind, bytes, laneOf()),

    /** Keeps room for a body that is about to be read. @returns what gives it back, once the body is gone */
    reserve(kind: Kind, bytes: number): () => void {
      admission.enter(kind, bytes);
      return () => admission.leave(kind, bytes);
    },

    /** Why the balancer should send nothing here; undefined when it should. A full producer sheds but stays. */
    unready(): string | undefined {
      if (draining !== "no") return "draining";
      const unusable = session.obstacle();
      return unusable?.outcome === "too_few_replicas" ? undefined : unusable?.message;
    },

    /**
     * Sends an order and waits for its report, at most until its deadline. A repeated request joins the one in flight,
     * with its deadline, or is answered from memory. @throws OutcomeError refused, or as a rejection refused or unknown
     */
    submit(order: Order, given: Given): Promise<Acceptance> {
      const id = orderId(order.customer, given.key);
      const known = pending.get(id) ?? recent.get(id);
      if (known) {
        if (canonicalJson(known.order) !== canonicalJson(order))
          throw new OutcomeError("key_reused", "the same Idempotency-Key came with another order", { id });
        metrics.answeredFromMemory.inc();
        return "answer" in known ? known.answer.promise : Promise.resolve(known.acceptance);
      }
      const lane = laneOf(order.customer) as Lane;
      const refused = obstacle(given.kind, 0, lane);
      if (refused) throw refused;
      const taken = pendingOf(order, id, given, lane, config.ORDERS_TOPIC);
      admission.enter(given.kind, taken.bytes, lane);
      pending.set(id, taken);
      groups.add(taken);
      return taken.answer.promise;
    },

    /**
     * Becomes unready, serves until the balancer has noticed, then refuses, waits for what is under way and closes.
     * @returns how many orders had no report by then, and were answered as unknown while that could still be sent
     */
    async drain(): Promise<number> {
      draining = "noticed";
      await Bun.sleep(config.DRAIN_NOTICE_MS);
      draining = "refusing";
      groups.flush();
      // Deadlines hold meanwhile too.
      const leftMs = config.DRAIN_TIMEOUT_MS - config.DRAIN_NOTICE_MS - drainAnswerMs;
      await session.flush(Math.min(config.DELIVERY_TIMEOUT_MS, leftMs));
      clearInterval(lookingAfter);
      const givenUp = pending.size;
      for (const order of pending.values()) unknown(order, "this producer shut down first");
      await session.close();
      return givenUp;
    },
  };
}
