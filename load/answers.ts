/** The client's record of a load run: what it sent and what it was told, order by order. The verdict is made from it. */
import type { Fate } from "../src/outcomes.ts";

/** What the client knows of one order in the end. */
export type ClientAnswer = {
  /** Customer and idempotency key give the order's id (src/order-id.ts), whether or not the client was told it. */
  key: string;
  customer: string;
  /** Of the first try, and of the last answer; ms since the epoch. */
  startedMs: number;
  endedMs: number;
  attempts: number;
  /** HTTP status of the first try and of the last; 0: there was no answer. */
  firstStatus: number;
  status: number;
  /** Over all tries: a refusal speaks for one try only, an earlier one may have been accepted. */
  fate: Fate;
  /** As the 202 told it. */
  id?: string;
};
