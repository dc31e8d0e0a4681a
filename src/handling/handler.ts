/** What a handler is: the contract that src/handle.ts fulfils, and whoever replaces it. */
import type { Tx } from "../ledger/ledger.ts";
import type { PlacedOrder } from "../validation.ts";

/** What a handler is given besides the order. */
export type HandlerContext = {
  /** Aborts when the attempt's time is over, or when the order's partition can't be kept until the end. */
  signal: AbortSignal;
  /** 1 for the first attempt. */
  attempt: number;
  /** The ledger's transaction. */
  tx: Tx;
};

/** Handles one order. Whatever it throws makes the attempt a failed one, to be tried again later. */
export type Handler = (order: PlacedOrder, context: HandlerContext) => Promise<void>;

/** What a consumer does with orders: the handler, and the DDL statements of the tables that its effect needs. */
export type Effect = { handle: Handler; schema: readonly string[] };
