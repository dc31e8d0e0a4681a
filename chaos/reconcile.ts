/**
 * The verdict on a run: a pure function of its history. What it checks, each in the client's own terms:
 *
 * - lost: the client was told 202, and the effect was not applied. Each is classed by where the order is.
 * - phantom: every try was refused, and the order is in the log, the ledger or the dead letters all the same.
 * - unknown: the client can't tell; either outcome is right, and both are counted.
 * - ledger duplicate: an effect was applied more than once, whoever the client and whatever it was told.
 * - offset regression: a committed offset went back.
 * - skipped: a commit passed a record that was neither handled nor a dead letter.
 * - mistaken: a 202 named another id than that of customer and key.
 * - order violation, where one customer's orders share a partition: an order that was answered before the next one
 *   was sent lies behind it in the log, or was handled after it.
 *
 * Copies in the topic and repeated deliveries are what at-least-once means: counted, and no fault.
 */
import type { History } from "./history.ts";

/** Where an order is whose effect was not applied. */
export type Whereabouts =
  /** Never in the log: the acknowledgement was false, or the log lost it. */
  | "not in the log"
  /** In the log, and the group has not passed it: it waits to be handled. */
  | "uncommitted"
  /** In the log, and the group's committed offset is behind it: nobody will handle it. */
  | "committed"
  | "dead-lettered"
  /** In the ledger, without its effect. */
  | "without effect";

/** An order whose effect is missing, with its place in the log if it has one. */
export type Missing = { id: string; key: string; where: Whereabouts; partition?: number; offset?: number };

export type Verdict = {
  /** Whether the promise was kept. A run in which nothing was accepted proves nothing. */
  held: boolean;
  /** Why not, a line each. */
  faults: string[];
  /** Orders by what the client was told. */
  accepted: number;
  refused: number;
  /** Unknown to the client, by what became of them. */
  unknown: { handled: number; waiting: number; absent: number };
  /** Orders that were sent more than once, and those whose first try was not accepted. */
  retried: number;
  firstTryFailed: number;
  /** Accepted, and the effect applied. */
  handled: number;
  lost: Missing[];
  /** Ids of each kind. */
  phantoms: string[];
  ledgerDuplicates: string[];
  mistaken: string[];
  /** Records beyond an order's first. */
  topicDuplicates: number;
  /** Deliveries beyond the first of each record. */
  redeliveries: number;
  skipped: { id: string; partition: number; offset: number }[];
  offsetRegressions: { partition: number; from: number; to: number; atMs: number }[];
  orderViolations: { customer: string; earlier: string; later: string; in: "the log" | "the handling" }[];
};

/** How the run was set up, as far as the checks depend on it. */
export type ReconcileOptions = { partitioner?: "batch" | "customer" };

/** Judges a finished run. */
export declare function reconcile(history: History, options?: ReconcileOptions): Verdict;
