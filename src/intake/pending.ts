/** An order on its way: what came with it, what it waits for, and what it is answered with. */
import type { TraceContext } from "../http/trace-context.ts";
import type { OutgoingRecord } from "../kafka/producer.ts";
import type { Order } from "../order.ts";
import type { Kind, Lane } from "./admission.ts";

/** What an accepted order's answer says; a broker may acknowledge a repetition without its offset. */
export type Acceptance = { id: string; partition: number; offset: number | null };

/** What comes with an order besides its document. */
export type Given = {
  /** The order's own (`orderKey`). */
  key: string;
  kind: Kind;
  trace: TraceContext | undefined;
  /** By when it has to be answered, on the clock of performance.now(). */
  deadlineMs: number;
};

/** An order without its answer, or of which a copy is still on its way. */
export type Pending = {
  id: string;
  order: Order;
  given: Given;
  record: OutgoingRecord;
  bytes: number;
  lane: Lane;
  sinceMs: number;
  /** The group it was sent with; 0 while it is held back, when Kafka's client knows nothing of it. */
  group: number;
  /** Copies on their way. */
  copies: number;
  republished: boolean;
  answer: PromiseWithResolvers<Acceptance>;
  /** It has its answer. */
  done: boolean;
};
