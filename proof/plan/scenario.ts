// What a fault that `prove` knows by name is made of: what is done to whom, for how long, and what is to come of it.
import type { FaultName } from "../faults/registry.ts";
import type { Target } from "../system/targets.ts";

/** Upper bounds; a figure without one is only reported. */
export interface Goals {
  /** Orders whose first try was not accepted, as clients see it that never try again; unreplayed ones not counted. */
  firstTryFailed?: number;
  /** The same as a share of all orders sent meanwhile. */
  firstTryFailedShare?: number;
  /** Orders not accepted in the end, after a good client's retries. */
  failed?: number;
  /** Orders in batches that the balancer can't replay, whose first answer was lost with their producer. */
  unreplayed?: number;
  /** From the first order that fails or is late until new orders are well again. */
  recoveryMs?: number;
  /** The same, counted from the heal. */
  afterHealMs?: number;
  longestMs?: number;
  /** Longest from an order's acceptance to its handling. */
  unseenMs?: number;
  /** From the heal until the backlog is handled. */
  drainedMs?: number;
  redelivered?: number;
}

export interface Scenario {
  fault: FaultName;
  targets: Target[];
  /** From whom the targets are cut off. */
  from?: Target;
  /** How long the injection itself takes, about, where that is more than a moment. */
  injectMs?: number;
  /** From the injection's end to the heal. */
  holdMs: number;
  /** From a whole system to the next fault, where what was held back takes longer than a moment to be handled. */
  restMs?: number;
  /** From the heal until no order may be refused any more on its account, where longer than usual (goals.ts). */
  refusalsEndMs?: number;
  goals: Goals;
}
