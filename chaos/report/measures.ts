/** What a run's history says in figures: pure, from the client's record, the ledger's times and the events. */
import type { History } from "../history.ts";
import type { RunEvent } from "./events.ts";

/** A second of the run, by when orders were sent. Latencies in ms, over all tries. */
export type Second = {
  atMs: number;
  sent: number;
  accepted: number;
  firstTryFailed: number;
  p50Ms: number;
  p99Ms: number;
  handled: number;
  /** Accepted and not handled, at this second's end. */
  unseen: number;
};

/** What one fault did, until the next one: to those who order, and to those who wait for the handling. */
export type Recovery = {
  fault: string;
  atMs: number;
  /** From the fault to its heal; undefined where it has none. */
  healedAfterMs: number | undefined;
  /** Orders sent meanwhile: all; those whose first try was not a 202; those not accepted in the end. */
  sent: number;
  firstTryFailed: number;
  failed: number;
  /** From the first order that failed or was late to the last such one's sending: new orders are well again. */
  recoveryMs: number;
  /** From the fault to the last of them. */
  steadyAfterMs: number;
  longestMs: number;
  /** Longest from acceptance to handling. */
  longestUnseenMs: number;
  /** From the heal, or the fault where it has none, until no more orders are unseen than before the fault. */
  drainedAfterMs: number | undefined;
};

/** Time in which a tier did not do its part, as seen from outside, and the single longest stretch. */
export type Unavailability = { tier: string; what: string; totalMs: number; longestMs: number };

export type Measures = {
  startMs: number;
  endMs: number;
  seconds: Second[];
  recoveries: Recovery[];
  unavailability: Unavailability[];
};

/** Measures a finished run. */
export declare function measure(history: History, events: readonly RunEvent[]): Measures;
