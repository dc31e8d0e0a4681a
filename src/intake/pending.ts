/** An order on its way: what came with it, what it waits for, what it is answered with. */
import type { Principal } from "../http/from-balancer.ts";
import type { TraceContext } from "../http/trace-context.ts";
import type { Order } from "../order.ts";
import { recordOf } from "../wire/record.ts";
import type { Kind, Lane } from "./admission.ts";

/** What an accepted order's answer says; a broker may acknowledge a repetition without its offset. */
export type Acceptance = { id: string; partition: number; offset: number };

/** What comes with an order besides its document. */
export type Given = {
  /** The order's own (`orderKey`). */
  key: string;
  /** None where the balancer runs open. */
  principal: Principal | undefined;
  kind: Kind;
  trace: TraceContext | undefined;
  /** By when it has to be answered, on the clock of performance.now(). */
  deadlineMs: number;
  /** The balancer has sent its key on before, and does not know that all of it was refused. */
  sentBefore: boolean;
};

/** An order without its answer, or of which a copy is still on its way. */
export type Pending = ReturnType<typeof pendingOf>;

export function pendingOf(order: Order, id: string, given: Given, lane: Lane, topic: string) {
  const record = recordOf(order, id, topic, given.trace);
  return {
    id,
    order,
    given,
    lane,
    record,
    bytes: Buffer.byteLength(record.value ?? ""),
    sinceMs: performance.now(),
    /** The group it was sent with; 0 while it is held back, when Kafka's client knows nothing of it. */
    group: 0,
    copies: 0,
    republished: false,
    /** It has its answer. */
    done: false,
    answer: Promise.withResolvers<Acceptance>(),
  };
}
