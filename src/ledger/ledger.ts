/**
 * The ledger: one row for each handled order, written in the same transaction as the order's effect. Its unique
 * key, the order's id, is what makes the effect once-only, however often and by however many consumers an order is
 * delivered. This file is the contract; `ledger.contract.test.ts` holds every implementation to it.
 */
import type { PlacedOrder } from "../validation.ts";

/** An order as it was delivered, with the digest of its content (what the client sent, without id and time). */
export type Entry = { order: PlacedOrder; digest: string; partition: number; offset: number };

/**
 * What the ledger found: `handled` is new to it, the effect was applied. `redelivered` is the very record it has
 * already, `duplicate` another record of the same order, `conflict` another order under the same id: nothing was
 * applied for these three.
 */
export type Verdict = "handled" | "redelivered" | "duplicate" | "conflict";

/** A value that both databases take and give. */
export type SqlValue = string | number | boolean | null;

/**
 * The ledger's transaction, as a tagged template: tx`INSERT INTO tickets VALUES (${id})`. Resolves with the rows.
 * It commits together with the ledger row or not at all, and refuses to be used after its end.
 */
export type Tx = <Row = Record<string, SqlValue>>(
  strings: TemplateStringsArray,
  ...values: SqlValue[]
) => Promise<Row[]>;

/** What the ledger knows of an order. Times are RFC 3339. */
export type LedgerView =
  | {
      id: string;
      status: "handled";
      handledAt: string;
      deliveries: number;
      partition: number;
      offset: number;
    }
  | {
      id: string;
      status: "dead";
      deadAt: string;
      reason: string;
      attempts: number;
      /** Where its record was given up. */
      topic: string;
      partition: number;
      offset: number;
    };

/** A record that was given up, by its place on its topic. */
export type Burial = {
  topic: string;
  partition: number;
  offset: number;
  orderId: string | null;
  reason: string;
  attempts: number;
};

/** Applies one entry's effect; undefined when that is done already, so that nothing has to be waited for. */
export type Apply = (entry: Entry, tx: Tx) => Promise<void> | undefined;

export interface Ledger {
  /**
   * Brings the ledger's tables and those of the effect to where this version needs them: see ./migrations.ts.
   * @param effectMigrations numbered by their place from 1; each one or more statements, applied once
   * @throws SchemaError when the database is not what they say, or LedgerUnavailableError
   */
  open(effectMigrations: readonly string[]): Promise<void>;
  /**
   * In one transaction: a row for each order that is new, a counted delivery for each that is not, and `apply` for
   * the new ones only; different customers' at the same time, one customer's one after another.
   * @returns a verdict for each entry, in their order
   * @throws what `apply` threw, or LedgerUnavailableError; nothing was written then, or, if the connection broke
   *   during the commit, all of it (the next try finds the rows)
   */
  record(entries: readonly Entry[], apply: Apply): Promise<Verdict[]>;
  /** Notes a dead letter; repeating it changes nothing. */
  bury(burial: Burial): Promise<void>;
  /** What is known of an order; a handled one is handled, whatever befell its other records. */
  find(id: string): Promise<LedgerView | undefined>;
  /** The same of many orders at once; those that nothing is known of are missing. */
  findMany(ids: readonly string[]): Promise<Map<string, LedgerView>>;
  close(): Promise<void>;
}

/** What a ledger is made for. */
export type LedgerOptions = { connections: number; handlerTimeoutMs: number };

/** The database did not do its part, which says nothing about the order: try again later, for as long as it takes. */
export class LedgerUnavailableError extends Error {
  override name = "LedgerUnavailableError";
}

/**
 * Carries what `apply` threw past the database's own error handling: a connection that breaks inside an effect may
 * be any other server's, and says nothing about the ledger.
 */
export class EffectError extends Error {
  override name = "EffectError";
}

/** How an entry that was not new relates to the row that is there. */
export function verdictOf(
  entry: Entry,
  row: { digest: string; partition: number; offset: number },
): Exclude<Verdict, "handled"> {
  if (row.digest !== entry.digest) return "conflict";
  return row.partition === entry.partition && row.offset === entry.offset ? "redelivered" : "duplicate";
}

/**
 * Applies new entries: customers at the same time, one customer's orders one after another. Waits for all of them
 * before it fails, so that none works on after the transaction's end.
 * @throws EffectError with the first error
 */
export async function applyByCustomer(
  entries: readonly Entry[],
  apply: (entry: Entry) => Promise<void> | undefined,
): Promise<void> {
  /** The last of each customer's effects that is not done. */
  const customers = new Map<string, Promise<void>>();
  for (const entry of entries) {
    const { customer } = entry.order;
    const applied = customers.get(customer)?.then(() => apply(entry)) ?? apply(entry);
    if (applied) customers.set(customer, applied);
  }
  const failed = (await Promise.allSettled(customers.values())).find(({ status }) => status === "rejected");
  if (failed) throw new EffectError("the effect failed", { cause: (failed as PromiseRejectedResult).reason });
}
