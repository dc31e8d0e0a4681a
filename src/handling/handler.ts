/** The contract that src/handle.ts fulfils. Whose fault a failure is, a handler says by what it throws: nothing is guessed. */
import type { Tx } from "../ledger/ledger.ts";
import type { PlacedOrder } from "../wire/validation.ts";

type HandlerContext = {
  /** Aborts when the attempt's time is over, or when the order's partition can't be kept until the end. */
  signal: AbortSignal;
  /** 1 for the first attempt; what was nobody's fault is not counted. */
  attempt: number;
};

/**
 * Handles one order. `apply` works in the ledger's transaction, many orders in one: for effects in the ledger's database.
 * `effect` works outside of any transaction, with a concurrency of its own: for effects elsewhere. They may throw RetryLater or
 * Reject; anything else is an attempt that failed, to be tried again. What they begin and do not wait for can only be logged.
 */
export type Handler =
  | { apply(order: PlacedOrder, context: HandlerContext & { tx: Tx }): Promise<void> }
  | { effect(order: PlacedOrder, context: HandlerContext): Promise<void> };

/** What a consumer does with orders: the handler, and the numbered DDL steps of the tables that its effect needs. */
export type Handling = { handler: Handler; migrations: readonly string[] };

/** It is not the order's fault, e.g. a dependency is down: no attempt is counted, the order waits. */
export class RetryLater extends Error {
  override name = "RetryLater";
}

/** The order can never be handled: a dead letter at once, with this reason. */
export class Reject extends Error {
  override name = "Reject";
}
