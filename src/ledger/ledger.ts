/** The ledger's contract: a row for each handled order, in its effect's transaction; the key, its id, makes that once-only. */
import { partyOf } from "../order.ts";
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
 * applied in the same one at the same time: until then settings are theirs too.
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
   * @param statementTimeoutMs longest for a statement of `apply`, where one can be ended. @returns what became of each, in order
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

const noPart = /'(?:[^']|'')*'|"[^"]*"|`[^`]*`|\[[^\]]*\]|--[^\r\n]*|\/\*(?:(?!\/\*|\*\/)[\s\S])*\*\//g;
/** A statement without literals, quoted names and comments, of which PostgreSQL's nest. */
export function bare(sql: string): string {
  const less = sql.replace(noPart, " ");
  return less === sql ? sql : bare(less);
}

/** What would end the transaction for all, undo others' statements, or change the connection for who comes next. */
const notForHandlers =
  /^[\s;]*(ABORT|ATTACH|BEGIN|COMMIT|DEALLOCATE|DETACH|DISCARD|END|LISTEN|PRAGMA(?!\s+(defer_foreign_keys|\w*(info|list|check))\b)|PREPARE|RELEASE|RESET|ROLLBACK|SAVEPOINT|SET(?!\s+(LOCAL|CONSTRAINTS)\b)|START)\b/i;

/** What would outlast the transaction on its connection, or would have no end on the server; the second with its literals. */
const ofTheSession =
  /\bpg_(try_)?advisory_lock\w*|\bWITH\s+HOLD\b(?!\s*(AS\b|\())|\bCREATE\s+((?!(AS|ON)\b)\w+\s+){1,6}(pg_)?temp\s*\.|(\bCREATE\s+(OR\s+REPLACE\s+)?|(?<!\b(INSERT|MERGE|REPLACE)(\s+OR\s+\w+)?\s+)\bINTO\s+)((LOCAL|GLOBAL)\s+)?TEMP(ORARY)?\s(?![\s\S]*\bON\s+COMMIT\s+DROP\b)/i;
const settings = /(?<!\bcurrent_setting\s*\(\s*')\bstatement_timeout\b|\bset_config\s*\([^)]*\bfalse\s*\)/i;

/** Why a handler may not run a statement; undefined: it may. */
function forbidden(strings: TemplateStringsArray): { error: Error } | undefined {
  const sql = strings.join("?");
  const said = bare(sql);
  const words = notForHandlers.exec(said)?.[1] ?? (ofTheSession.exec(said) ?? settings.exec(sql))?.[0].trim();
  return words ? { error: new Error(`${words} is not for handlers`) } : undefined;
}

/**
 * Applies new entries: customers at the same time, one customer's orders one after another. Waits for all of them and their
 * statements. One that failed is left out where that may be, none of its statements succeeded, and its handler says so; else it
 * dooms the transaction, on each database.
 * @param open what runs a statement, unless that is over; @param isCollateral whether its error says that one before it failed
 * @param mayLeaveOut asked at the end: whether a statement that failed undid nothing else
 * @returns ids of orders left out, whose rows have to go, and what failed. @throws BatchError; LedgerUnavailableError if met
 */
export async function applyByCustomer(
  entries: readonly Entry[],
  apply: Apply,
  open: (isOver: () => boolean) => Tx,
  isCollateral: (error: unknown) => boolean,
  mayLeaveOut: () => boolean,
) {
  const failures = new Map<Entry, Failure>();
  /** Entries of which something succeeded: a statement, or all. */
  const touched = new Set<Entry>();
  /** Entries whose statements failed for another's sake. */
  const struck = new Set<Entry>();
  /** Statements under way, the oldest first: that is the one that the database is at. */
  const statements = new Map<Promise<unknown>, Entry>();
  let unavailable: LedgerUnavailableError | undefined;
  let ended = false;
  /** Who was struck dooms the transaction: going on would be in vain, and keep others from their rows or their turn. */
  const isOver = () => ended || struck.size > 0;
  const overError = new Error("the ledger's transaction is over");
  const execute = open(isOver);
  const txOf = (entry: Entry) =>
    ((strings: TemplateStringsArray, ...values: SqlValue[]) => {
      const refusal = isOver() ? { error: overError } : (forbidden(strings) ?? failures.get(entry));
      const rows = refusal ? Promise.reject(refusal.error) : execute(strings, ...values);
      statements.set(rows, entry);
      // Also one that nobody waits for is heard.
      rows.then(
        () => statements.delete(rows) && touched.add(entry),
        (error) => {
          statements.delete(rows);
          if (error instanceof LedgerUnavailableError) unavailable ??= error;
          else if (error === overError || isCollateral(error)) struck.add(entry);
          else if (!failures.has(entry)) failures.set(entry, { place: "statement", error });
        },
      );
      return rows;
    }) as Tx;
  /** The handler's own word counts before that of its statements, unless another's statement struck or held it up. */
  const failed = (entry: Entry, error: unknown): never => {
    const own = failures.get(entry);
    const isHeldUp = [...statements.values()].indexOf(entry) > 0;
    if (!own && (isHeldUp || struck.has(entry))) struck.add(entry);
    else if (!own || (own.error !== error && !isCollateral(error)))
      failures.set(entry, { place: "handler", error });
    throw error;
  };
  /** The last of each customer's effects that is not done. */
  const customers = new Map<string, Promise<void>>();
  for (const entry of entries) {
    const customer = partyOf(entry.order);
    const failing = (error: unknown) => failed(entry, error);
    const begin = () => apply(entry, txOf(entry)).then(() => void touched.add(entry), failing);
    customers.set(customer, customers.get(customer)?.then(begin) ?? begin());
  }
  await Promise.allSettled(customers.values());
  await Promise.allSettled(statements.keys());
  ended = true;
  if (unavailable) throw unavailable;
  const spoilt = [...failures.keys()].some((entry) => touched.has(entry) || !mayLeaveOut());
  if (spoilt || struck.size > 0) throw new BatchError(failures);
  const left = new Set(entries.flatMap((entry) => (touched.has(entry) ? [] : entry.order.id)));
  return { left, failures };
}
