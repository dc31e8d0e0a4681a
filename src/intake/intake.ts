/**
 * An order's way to Kafka: it is accepted only by its delivery report. Every other ending is refused, which is
 * certain and known before anything was sent, or unknown. At most so many orders and bytes are under way.
 */

import { canonicalJson } from "../canonical.ts";
import { drainAnswerMs, type ProducerConfig } from "../config.ts";
import type { Report } from "../kafka/reports.ts";
import type { RefusedRecord } from "../kafka/sender.ts";
import type { Logger } from "../log.ts";
import type { Order } from "../order.ts";
import { orderId } from "../order-id.ts";
import { OutcomeError } from "../outcomes.ts";
import { createAdmission, type Kind } from "./admission.ts";
import { createGroups } from "./groups.ts";
import { createLanes } from "./lanes.ts";
import type { IntakeMetrics } from "./metrics.ts";
import { createPartitioner, type Partitioner } from "./partitioner.ts";
import type { Acceptance, Given, Pending } from "./pending.ts";
import { createRecent } from "./recent.ts";
import { recordOf } from "./record.ts";
import { createRepublisher } from "./republisher.ts";
import { createSession, type Obstacle } from "./session.ts";
import { refusalOf, unknown } from "./unacknowledged.ts";

export type Intake = ReturnType<typeof createIntake>;

const recentOrders = 10_000;
/** As old as this, an unacknowledged order makes the batch partitioner pass over its partition. */
const availabilityTimeoutMs = 300;
const lookAfterEveryMs = 100;
/** Copies under way at once, as a part of the orders that may be: a fault of one broker of three needs no more. */
const republishShare = 1 / 4;

/** Starts connecting to Kafka at once; orders are refused until that is done. */
export function createIntake(config: ProducerConfig, log: Logger, metrics: IntakeMetrics) {
  const pending = new Map<string, Pending>();
  const recent = createRecent(recentOrders);
  const lanes = createLanes(config, metrics);
  let partitioner: Partitioner | undefined;
  const admission = createAdmission(config.MAX_IN_FLIGHT_ORDERS, config.MAX_IN_FLIGHT_BYTES);
  let draining: "no" | "noticed" | "refusing" = "no";

  const session = createSession(config, log, {
    onOpen(partitions) {
      partitioner = createPartitioner({ kind: config.PARTITIONER, partitions, availabilityTimeoutMs });
    },
    onPartitions: (partitions) => partitioner?.resize(partitions),
    onFatal(reason) {
      metrics.clientsReplaced.inc();
      for (const order of pending.values())
        if (order.group > 0) finish(order).reject(unknown(order, `the Kafka client failed: ${reason}`));
      republisher.forgotten();
    },
    onStatistics({ brokersUp, queueRecords, queueBytes, roundTripMs }) {
      metrics.brokersUp.set(brokersUp);
      metrics.queueRecords.set(queueRecords);
      metrics.queueBytes.set(queueBytes);
      metrics.roundTripSeconds.set(roundTripMs / 1_000);
      metrics.inFlightOrders.set(pending.size);
      metrics.inFlightLimit.set(lanes.lowestLimit());
      metrics.inFlightBytes.set(admission.bytes());
    },
  });

  function settle(order: Pending, { error, partition, offset }: Report): void {
    partitioner?.settled(partition);
    order.copies -= 1;
    if (order.republished && order.copies === 0) republisher.settled();
    if (error === undefined) recent.add(order.id, { order: order.order, partition, offset });
    // It has its answer already, or another copy's report is the answer.
    if (order.done || (error !== undefined && order.copies > 0)) return;
    const nowMs = performance.now();
    const waitedMs = nowMs - order.sinceMs;
    finish(order, error === undefined ? waitedMs : undefined, nowMs);
    if (error !== undefined) {
      order.reject(unknown(order, `no acknowledgement: ${error}`));
      return;
    }
    if (waitedMs < availabilityTimeoutMs) republisher.prompt(order, partition);
    metrics.deliverySeconds.observe(waitedMs / 1_000);
    order.resolve({ id: order.id, partition, offset: offset ?? null });
  }

  /** @param waitedMs for its acknowledgement; undefined if there was none */
  function finish(order: Pending, waitedMs?: number, nowMs = performance.now()): Pending {
    order.done = true;
    pending.delete(order.id);
    order.lane.done(order.kind, nowMs, waitedMs);
    admission.leave(order.kind, order.bytes, 1);
    groups.settled(order.group);
    return order;
  }

  function take(order: Order, id: string, { kind, trace, deadlineMs }: Given): Promise<Acceptance> {
    const lane = lanes.of(order.customer, partitioner);
    if (!partitioner || !lane) throw new OutcomeError("not_ready", "connecting to Kafka");
    const record = recordOf(order, id, config.ORDERS_TOPIC, trace);
    const { promise, resolve, reject } = Promise.withResolvers<Acceptance>();
    const bytes = Buffer.byteLength(record.value ?? "");
    const sinceMs = performance.now();
    const ending = { group: 0, copies: 0, promise, resolve, reject };
    const taken = { id, order, record, kind, bytes, lane, sinceMs, deadlineMs, ...ending };
    lane.taken(kind);
    admission.enter(kind, bytes, 1);
    pending.set(id, taken);
    groups.add(taken);
    return promise;
  }

  const groups = createGroups<Pending>({
    windowMs: config.BATCH_WINDOW_MS,
    // By customer a group is a request for each partition, answered one by one: those who were answered come in between.
    gathers: config.PARTITIONER === "batch",
    send(held, group) {
      const nowMs = performance.now();
      // Whose time was over while it was held has its answer.
      const orders = held.filter(({ done }) => !done);
      for (let n = orders.length; n < held.length; n += 1) groups.settled(group);
      // Nothing was taken before there was one.
      const partitionOf = (partitioner as Partitioner).forGroup(nowMs);
      for (const order of orders) {
        order.group = group;
        order.record.partition = partitionOf(order.order.customer);
      }
      // What Kafka's client did not take is refused for certain.
      sendCopies(orders, nowMs, (order, refused) => finish(order).reject(refusalOf(refused)));
    },
  });

  /** Sends each to its record's partition. */
  function sendCopies(
    orders: readonly Pending[],
    nowMs: number,
    onRefused: (order: Pending, refused: RefusedRecord) => void,
  ): void {
    const refusedPlaces = new Set<number>();
    for (const order of orders) order.copies += 1;
    const records = orders.map(({ record }) => record);
    session.produceAll(records, {
      onReport: (n, report) => settle(orders[n] as Pending, report),
      onRefused(n, refused) {
        const order = orders[n] as Pending;
        order.copies -= 1;
        refusedPlaces.add(n);
        onRefused(order, refused);
      },
    });
    for (const [n, { partition }] of records.entries())
      if (!refusedPlaces.has(n)) partitioner?.sent(partition, nowMs);
  }

  const republisher = createRepublisher<Pending>({
    maxCopies: config.MAX_IN_FLIGHT_ORDERS * republishShare,
    available: (partition, nowMs) => partitioner?.available(partition, nowMs) ?? false,
    send(order, partition, nowMs) {
      let sent = true;
      order.record.partition = partition;
      sendCopies([order], nowMs, (_, refused) => {
        log.warn({ err: refused }, "republishing failed, the first copy is waited for");
        sent = false;
      });
      if (sent) metrics.republished.inc();
      return sent;
    },
  });
  const lookingAfter = setInterval(() => {
    const nowMs = performance.now();
    // Whatever its copies wait for: their own time limits begin when they are sent.
    for (const order of pending.values())
      if (order.deadlineMs <= nowMs) finish(order).reject(unknown(order, "no acknowledgement in time"));
    // Where order matters a copy would come out of turn.
    if (config.PARTITIONER === "batch") republisher.run(pending.values(), nowMs);
  }, lookAfterEveryMs);

  return {
    /**
     * Why no order is taken just now; undefined when one is. Cheap: asked before a body is read, and of each customer
     * then, as the customer may decide on the limit.
     * @param bytes of a body that would come
     */
    obstacle(kind: Kind, bytes = 0, customer?: string): Obstacle | undefined {
      if (draining === "refusing") return { outcome: "draining", detail: "this producer is shutting down" };
      const obstacle = session.obstacle();
      if (obstacle) return obstacle;
      const full = admission.full(kind, bytes);
      const lane = lanes.of(customer, partitioner);
      if (!lane && full !== undefined) metrics.shed("bound");
      const detail = lane ? lane.obstacle(kind, performance.now(), full) : full;
      return detail === undefined ? undefined : { outcome: "overloaded", detail };
    },

    /** Keeps room for a body that is about to be read. @returns what gives it back, once the body is gone */
    reserve(kind: Kind, bytes: number): () => void {
      admission.enter(kind, bytes, 0);
      return () => admission.leave(kind, bytes, 0);
    },

    /** Why the balancer should send nothing here; undefined when it should. A full producer sheds but stays. */
    unready(): string | undefined {
      if (draining !== "no") return "draining";
      const obstacle = session.obstacle();
      return obstacle?.outcome === "too_few_replicas" ? undefined : obstacle?.detail;
    },

    /**
     * Sends an order and waits for its report, at most until its deadline. A repeated request joins the one in flight,
     * and so has its deadline, or is answered from memory.
     * @throws OutcomeError refused; the promise is rejected with one that says refused or unknown
     */
    submit(order: Order, given: Given): Promise<Acceptance> {
      const id = orderId(order.customer, given.key);
      const known = pending.get(id) ?? recent.get(id);
      if (known) {
        if (canonicalJson(known.order) !== canonicalJson(order))
          throw new OutcomeError("key_reused", "the same Idempotency-Key came with another order", { id });
        metrics.answeredFromMemory.inc();
        return "promise" in known
          ? known.promise
          : Promise.resolve({ id, partition: known.partition, offset: known.offset ?? null });
      }
      const obstacle = this.obstacle(given.kind, 0, order.customer);
      if (obstacle) throw new OutcomeError(obstacle.outcome, obstacle.detail);
      return take(order, id, given);
    },

    /**
     * Becomes unready, goes on serving until the balancer has noticed, then refuses, waits for what is under way and
     * closes. What has no report by then is answered as unknown while the answer can still be sent.
     * @returns how many orders that were
     */
    async drain(): Promise<number> {
      draining = "noticed";
      await Bun.sleep(config.DRAIN_NOTICE_MS);
      draining = "refusing";
      groups.flush();
      const leftMs = config.DRAIN_TIMEOUT_MS - config.DRAIN_NOTICE_MS - drainAnswerMs;
      // Deadlines hold meanwhile too.
      await session.flush(Math.min(config.DELIVERY_TIMEOUT_MS, leftMs));
      clearInterval(lookingAfter);
      const givenUp = pending.size;
      for (const order of pending.values())
        finish(order).reject(unknown(order, "this producer shut down first"));
      await session.close();
      return givenUp;
    },
  };
}
