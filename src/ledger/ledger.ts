/** The ledger's contract: a row for each handled order, in its effect's transaction; the key, its id, makes that once-only. */
import type { PlacedOrder } from "../wire/validation.ts";

/** An order as it was delivered, with the digest of its content (what the client sent, without id and time). */
export type Entry = { order: PlacedOrder; digest: string; partition: number; offset: number };

/**
 * What the ledger found: `handled` is new to it, the effect was applied. For the others nothing was: `redelivered` is the very
 * record it has, `duplicate` another record of the same order, `conflict` another order under the same id.
 */
export type Verdict = "handled" | "redelivered" | "duplicate" | "conflict";

/** A value that both databases take and give. */
export type SqlValue = string | number | boolean | null;

/**
 * The ledger's transaction, as a tagged template: tx`INSERT INTO tickets VALUES (${id})`. Resolves with the rows.
 * It commits together with the ledger row or not at all, refuses to be used after its end, and what would end it or change
 * the session for others: locks and settings are to end with it (SET LOCAL, pg_advisory_xact_lock). Other orders are
 * applied in the same one at the same time: until then settings are theirs too. One order's statements go one after another.
 */
export type Tx = <Row = Record<string, SqlValue>>(
  strings: TemplateStringsArray,
  ...values: SqlValue[]
) => Promise<Row[]>;

/** What the ledger knows of an order. Times are RFC 3339. */
export type LedgerView =
  | ({ id: string; status: "handled"; handledAt: string; deliveries: number } & Omit<Place, "topic">)
  | ({ id: string; status: "dead"; deadAt: string; reason: string; attempts: number } & Place);

type Place = { topic: string; partition: number; offset: number };

/** A record that was given up. */
export type Burial = Place & { orderId: string | null; reason: string; attempts: number };

export type Apply = (entry: Entry, tx: Tx) => Promise<void>;

export interface Ledger {
  /** Brings its tables and the effect's to where this version needs them: ./migrations.ts. @throws SchemaError or as `find` */
  open(effectMigrations: readonly string[]): Promise<void>;
  /**
   * In one transaction: a row for each order that is new, a counted delivery for each that is not, and `apply` for
   * the new ones only; different customers' at the same time, one customer's one after another.
   * @param statementTimeoutMs of all `apply`, and longest for a statement, where one can be ended. @returns what became of each
   * @throws BatchError or LedgerUnavailableError: nothing was written, or all where a connection broke in the commit
   */
  record(entries: readonly Entry[], apply: Apply, statementTimeoutMs?: number): Promise<Recorded[]>;
  /** Longest that an `apply` may hold a transaction, ms, where it keeps others from theirs. */
  readonly longestApplyMs?: number;
  /** Notes dead letters; repeating it changes nothing. */
  bury(...burials: Burial[]): Promise<void>;
  /** What is known of orders; a handled one is, whatever befell its other records. @throws LedgerUnavailableError */
  find(ids: readonly string[]): Promise<ReadonlyMap<string, LedgerView>>;
  /**
   * Forgets what is older and did not come since, in steps that hold up nobody for long; it may stay for half as long again. All
   * may call it at once. @returns what was done, in words. @throws LedgerUnavailableError, which may be for a part of it
   */
  expire(retentionMs: number): Promise<string[]>;
  close(): Promise<void>;
}

/** The database did not do its part, which says nothing about the order: try again later, for as long as it takes. */
export class LedgerUnavailableError extends Error {
  override name = "LedgerUnavailableError";
}

/** Why an entry failed, and where: in the handler, a statement, as a record that the database refuses, or for the ledger. */
export type Failure = { place: "handler" | "statement" | "record" | "ledger"; error: unknown };

/** A failure is of one that was left out. So is, without a word, who comes after it: of its customer, or under its id. */
export type Recorded = Verdict | Failure | undefined;

/** A batch of which nothing was written, for the sake of those that failed. None: the database does not say whose it was. */
export class BatchError extends Error {
  override name = "BatchError";
  constructor(
    readonly failures: ReadonlyMap<Entry, Failure>,
    cause?: unknown,
  ) {
    super("some orders of the batch failed", { cause });
  }
}
