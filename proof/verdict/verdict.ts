/** What a verdict says; proof/verdict/reconcile.ts comes to it. */

/** Where an order is that was lost. */
export const whereabouts = {
  "not in the log": "the acknowledgement was false, or the log lost it",
  uncommitted: "in the log, and the group has not passed it: it waits to be handled",
  committed: "in the log, and the group has passed it: nobody will handle it",
  "without effect": "in the ledger, without its effect",
  "without row":
    "its effect is applied, and the ledger knows nothing of it: if it comes again, it is applied again",
} as const;
export type Whereabouts = keyof typeof whereabouts;

/** An order that was lost, with its place in the log if it has one. */
export type Missing = { id: string; key: string; where: Whereabouts; partition?: number; offset?: number };

export type Verdict = {
  /** Whether the promise was kept. A run in which nothing was accepted proves nothing. */
  held: boolean;
  /** Why not, a line each. */
  faults: string[];
  /** Orders by what the client was told. */
  accepted: number;
  refused: number;
  /** Unknown to the client, by what became of them; waiting: in the log or a dead letter, its effect not applied. */
  unknown: { handled: number; waiting: number; absent: number };
  /** Orders that were sent more than once, and those whose first try was not accepted. */
  retried: number;
  firstTryFailed: number;
  /** Accepted, with a row in the ledger and the effect applied. */
  handled: number;
  /** Accepted, given up by its handler, and kept as a dead letter: told to the operator, so not lost. */
  deadLettered: number;
  /** Their ids, and those of orders that are unknown to the client and were given up. */
  givenUp: string[];
  /** Accepted, and cut from every replica by a fault before it was handled: nobody could handle it. */
  destroyed: number;
  lost: Missing[];
  /** Ids of each kind. */
  phantoms: string[];
  ledgerDuplicates: string[];
  mistaken: string[];
  altered: string[];
  /** Records beyond an order's first. */
  topicDuplicates: number;
  /** Deliveries beyond the first of each record. */
  redeliveries: number;
  /** Deliveries beyond the first of orders that are no more on the topic: of copies, or again. */
  ofDestroyed: number;
  skipped: { id: string; partition: number; offset: number }[];
  offsetRegressions: { partition: number; from: number; to: number; atMs: number }[];
  orderViolations: OrderViolation[];
  /** Where the edge asks who orders. */
  trespasses?: Trespasses;
};

/** What principals tried with what is another's: to read an order, and to write under its customer, with its key or not. */
export type Trespasses = {
  reads: number;
  readsLetIn: number;
  /** Orders that their owners could read meanwhile: without any, the rest says nothing. */
  ownReads: number;
  writes: number;
  writesLetIn: number;
};

/** Two orders of a customer, by their ids, that changed places. */
export type OrderViolation = {
  customer: string;
  earlier: string;
  later: string;
  in: "the log" | "the handling";
};
