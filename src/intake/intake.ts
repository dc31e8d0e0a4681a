/**
 * What a producer does with an order: a repeated one joins the one in flight or is answered from memory; another is taken if
 * there is room, and its delivery answers it. At most so many orders and bytes are under way.
 */
import { drainAnswerMs, type ProducerConfig } from "../config.ts";
import { type Order, partyOf } from "../order.ts";
import { OutcomeError } from "../outcomes.ts";
import type { Logger } from "../runtime/log.ts";
import { contentOf } from "../wire/canonical.ts";
import { orderId } from "../wire/order-id.ts";
import { createAdmission, type Kind, type Lane } from "./admission.ts";
import { createDelivery } from "./delivery.ts";
import type { IntakeMetrics } from "./metrics.ts";
import { type Acceptance, type Given, type Pending, pendingOf } from "./pending.ts";
import { createRecent } from "./recent.ts";

export type Intake = ReturnType<typeof createIntake>;

/** Starts connecting to Kafka at once; orders are refused until that is done. */
export function createIntake(config: ProducerConfig, log: Logger, metrics: IntakeMetrics) {
  const parts = { config, log, metrics };
  const recent = createRecent<{ record: Pick<Pending["record"], "value">; acceptance: Acceptance }>(10_000);
  const admission = createAdmission(parts);
  metrics.inFlight(admission);
  /** Of a drain: it is told by /readyz, which the balancer has yet to notice; then orders are refused. */
  let draining: "no" | "told" | "refusing" = "no";
  const delivery = createDelivery(parts, {
    accepted: ({ id, record: { value } }, acceptance) => recent.add(id, { record: { value }, acceptance }),
    ended: ({ given, bytes, lane }) => admission.leave(given.kind, bytes, lane),
  });

  /** Of a customer's orders; undefined where the customer matters and is not known yet. */
  function laneOf(customer?: string): Lane | undefined {
    if (config.PARTITIONER === "batch") return admission.lane(0);
    return customer === undefined ? undefined : admission.lane(delivery.partitionOf(customer));
  }

  /** Why nothing is taken just now; undefined when it is. Cheap: for before a body of so many bytes is read. */
  function obstacle(kind: Kind, bytes = 0, lane = laneOf()): OutcomeError | undefined {
    if (draining === "refusing") return new OutcomeError("draining", "this producer is shutting down");
    return delivery.obstacle() ?? admission.obstacle(kind, bytes, lane);
  }
  return {
    obstacle,
    /** Keeps room for a body that is about to be read. @returns what gives it back, once the body is gone */
    reserve(kind: Kind, bytes: number): () => void {
      admission.enter(kind, bytes);
      return () => admission.leave(kind, bytes);
    },
    /** Why the balancer should send nothing here; undefined when it should. A full producer sheds but stays. */
    unready(): string | undefined {
      if (draining !== "no") return "draining";
      const unusable = delivery.obstacle();
      return unusable?.outcome === "too_few_replicas" ? undefined : unusable?.reason;
    },
    /**
     * Sends an order and waits for its report, at most until its deadline. A repeated request joins the one in flight,
     * with its deadline, or is answered from memory. @throws OutcomeError refused, or as a rejection refused or unknown
     */
    submit(order: Order, given: Given): Promise<Acceptance> {
      const id = orderId(partyOf(order), given.key, given.principal?.name);
      const known = delivery.pending(id) ?? recent.get(id);
      if (known) {
        if (contentOf(JSON.parse(`${known.record.value}`)) !== contentOf(order))
          throw new OutcomeError("key_reused", "the same Idempotency-Key came with another order", { id });
        metrics.answeredFromMemory.inc();
        return "answer" in known ? known.answer.promise : Promise.resolve(known.acceptance);
      }
      const lane = laneOf(partyOf(order)) as Lane;
      const refused = obstacle(given.kind, 0, lane);
      if (refused) throw refused;
      const taken = pendingOf(order, id, given, lane, config.ORDERS_TOPIC);
      admission.enter(given.kind, taken.bytes, lane);
      delivery.add(taken);
      return taken.answer.promise;
    },
    /**
     * Becomes unready, serves until the balancer has noticed, then refuses, waits for what is under way and closes.
     * @returns how many orders had no report by then, and were answered as unknown while that could still be sent
     */
    async drain(): Promise<number> {
      draining = "told";
      await Bun.sleep(config.DRAIN_NOTICE_MS);
      draining = "refusing";
      // Deadlines hold meanwhile too.
      const leftMs = config.DRAIN_TIMEOUT_MS - config.DRAIN_NOTICE_MS - drainAnswerMs;
      return delivery.close(Math.min(config.DELIVERY_TIMEOUT_MS, leftMs));
    },
  };
}
