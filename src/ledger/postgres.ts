/** The ledger in PostgreSQL, shared by all consumers wherever they run. A batch is a few statements, not a few each. */
import { SQL } from "bun";
import { partyOf } from "../order.ts";
import { expireInPostgres, generationsStep, keepGenerations } from "./generations.ts";
import {
  applyByCustomer,
  BatchError,
  type Entry,
  type Ledger,
  type LedgerOptions,
  LedgerUnavailableError,
  type SqlValue,
  type Tx,
  type Verdict,
  verdictOf,
} from "./ledger.ts";
import { findInPostgres } from "./look-up.ts";
import { migratePostgres, migrationTimeoutMs } from "./migrations.ts";

const tables = [
  `CREATE TABLE IF NOT EXISTS ledger (
    id uuid PRIMARY KEY, customer text NOT NULL, digest text NOT NULL, "partition" integer NOT NULL,
    "offset" bigint NOT NULL, placed_at timestamptz NOT NULL, handled_at timestamptz NOT NULL DEFAULT now(),
    deliveries integer NOT NULL DEFAULT 1)`,
  `CREATE TABLE IF NOT EXISTS dead_letters (
    topic text NOT NULL, "partition" integer NOT NULL, "offset" bigint NOT NULL, order_id text,
    reason text NOT NULL, attempts integer NOT NULL, dead_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, "partition", "offset"))`,
  `CREATE INDEX IF NOT EXISTS dead_letters_order ON dead_letters (order_id)`,
  generationsStep,
];
const connectTimeoutS = 5;
const answerTimeoutMs = 20_000;
/** Ends on the server what the client no longer waits for, before it stops waiting. */
const ownStatementTimeoutMs = 15_000;
/** Between the handlers' deadline and the next statement. */
const idleMarginMs = 2_000;
const lookUpTimeoutMs = 5_000;
/** Whatever the database's own default is: generations rest on it (./generations.ts). */
const isolation = "ISOLATION LEVEL READ COMMITTED";
const shortestLockTimeoutMs = 500;

type Row = { id: string; digest: string; partition: number; offset: number; table: string };

/**
 * @param options.connections transactions that can be under way at once; look-ups have two more
 * @param options.handlerTimeoutMs time that a handler may take inside a transaction, on top of the database's own
 */
export function createPostgresLedger(url: string, options: LedgerOptions): Ledger {
  const { connections, handlerTimeoutMs } = options;
  const connect = () =>
    new SQL({
      url,
      max: connections + 2,
      connectionTimeout: connectTimeoutS,
      // Numbers are numbers in each database: see `plain`.
      bigint: true,
      connection: {
        statement_timeout: ownStatementTimeoutMs,
        // A consumer that is frozen inside a transaction must not keep its orders' rows from whoever takes over.
        idle_in_transaction_session_timeout: handlerTimeoutMs + idleMarginMs,
      },
    });
  let pool = connect();
  let lockTimeoutMs = shortestLockTimeoutMs;

  /** Everything asked of the database is bounded. */
  async function ask<T>(work: (sql: SQL) => Promise<T>, timeoutMs: number, onTimeout?: (used: SQL) => void) {
    const used = pool;
    let timer: Timer | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        onTimeout?.(used);
        reject(new LedgerUnavailableError(`no answer from PostgreSQL within ${timeoutMs} ms`));
      }, timeoutMs);
    });
    try {
      return await Promise.race([work(used), late]);
    } catch (error) {
      throw blamed(error);
    } finally {
      clearTimeout(timer);
    }
  }

  /** A pool of which there was no answer is replaced: its other connections would lead nowhere either. */
  function replace(used: SQL): void {
    if (pool !== used) return;
    pool = connect();
    used
      .close({ timeout: 0 })
      .catch((error) => process.emitWarning(`closing PostgreSQL's connections: ${error}`));
  }

  const answer = <T>(work: (sql: SQL) => Promise<T>): Promise<T> => ask(work, answerTimeoutMs, replace);
  /** A statement may begin at the end of its handler's time, and has as much again. */
  const transaction = <T>(work: (sql: SQL) => Promise<T>): Promise<T> =>
    ask((sql) => sql.begin(isolation, work), 2 * handlerTimeoutMs + answerTimeoutMs, replace);
  const findMany = (ids: readonly string[]) => ask((sql) => findInPostgres(sql, ids), lookUpTimeoutMs);

  return {
    open: (effect) =>
      ask(
        (sql) => sql.begin((connection) => migratePostgres(connection, { ledger: tables, effect }, blamed)),
        migrationTimeoutMs,
        replace,
      ),

    record: (entries, apply, statementTimeoutMs = handlerTimeoutMs) =>
      transaction(async (sql) => {
        const execute = async (strings: TemplateStringsArray, ...values: SqlValue[]) => {
          try {
            return plain(await sql(strings, ...values));
          } catch (error) {
            if (codeOf(error) !== statementCancelled) throw blamed(error);
            throw Object.assign(error as Error, { name: "TimeoutError" });
          }
        };
        const verdicts = await insert(sql, entries, statementTimeoutMs).catch((error) => {
          if (isOfRecord(error)) throw new BatchError(new Map(), false, error);
          throw new LedgerUnavailableError(error.message, { cause: error });
        });
        const fresh = entries.filter((_, index) => verdicts[index] === "handled");
        const isCollateral = (error: unknown) => codeOf(error) === inFailedTransaction;
        await applyByCustomer(fresh, apply, execute as Tx, isCollateral);
        return verdicts;
      }).catch((error) => {
        if (error instanceof BatchError || error instanceof LedgerUnavailableError) throw error;
        // Found at the commit, e.g. by a deferred constraint.
        throw new BatchError(new Map(), false, error);
      }),

    known: (ids) =>
      answer(async (sql) => {
        const rows = await sql`SELECT id FROM ledger WHERE id = ANY(${sql.array([...ids], "TEXT")}::uuid[])`;
        return new Set(rows.map(({ id }: { id: string }) => id));
      }),

    bury: ({ topic, partition, offset, orderId, reason, attempts }) =>
      answer(async (sql) => {
        await sql`INSERT INTO dead_letters (topic, "partition", "offset", order_id, reason, attempts)
          VALUES (${topic}, ${partition}, ${offset}, ${orderId}, ${reason}, ${attempts}) ON CONFLICT DO NOTHING`;
      }),

    find: async (id) => (await findMany([id])).get(id),
    findMany,

    async expire(retentionMs) {
      const begin = (work: (sql: SQL) => Promise<string[]>) => answer((sql) => sql.begin(isolation, work));
      const { done, failed, inUse } = await expireInPostgres(begin, retentionMs, lockTimeoutMs);
      // A table that is in use all the time is waited for longer, up to what its longest transaction may take.
      lockTimeoutMs = inUse
        ? Math.min(2 * lockTimeoutMs, handlerTimeoutMs + idleMarginMs)
        : shortestLockTimeoutMs;
      if (failed.length > 0) throw new LedgerUnavailableError([...done, ...failed].join("; "));
      return done;
    },

    close: () => pool.close({ timeout: connectTimeoutS }),
  };
}

/**
 * Inserts what is new and counts a delivery for what is not. Rows are locked in the order of their ids, so that two
 * consumers with overlapping batches do not deadlock. In the same round trip the statements that follow get their limit.
 * @returns a verdict for each entry, in their order
 */
async function insert(sql: SQL, entries: readonly Entry[], statementTimeoutMs: number): Promise<Verdict[]> {
  const first = new Map(entries.map(({ order }, index) => [order.id, index] as const).toReversed());
  const sorted = [...first.keys()].sort().map((id) => entries[first.get(id) as number] as Entry);
  const column = (value: (entry: Entry) => string | number) => sql.array(sorted.map(value), "TEXT");
  const ids = column(({ order }) => order.id);
  const inserted: { id: string }[] = await sql`
    INSERT INTO ledger_current (id, customer, digest, "partition", "offset", placed_at)
    SELECT * FROM unnest(
      ${ids}::uuid[], ${column(({ order }) => partyOf(order))}::text[],
      ${column(({ digest }) => digest)}::text[], ${column(({ partition }) => partition)}::int[],
      ${column(({ offset }) => offset)}::bigint[], ${column(({ order }) => order.placedAt)}::timestamptz[]) AS fresh (id)
    WHERE id <> ALL (ARRAY(SELECT id FROM ledger_past WHERE id = ANY(${ids}::uuid[])))
    ON CONFLICT (id) DO NOTHING
    RETURNING id, (SELECT set_config('statement_timeout', ${String(statementTimeoutMs)}, true))`;
  const verdicts: Verdict[] = [];
  for (const { id } of inserted) verdicts[first.get(id) as number] = "handled";
  const others = [...entries.keys()].filter((index) => verdicts[index] === undefined);
  const ended = new Set<string>();
  others.sort((a, b) => ((entries[a] as Entry).order.id < (entries[b] as Entry).order.id ? -1 : 1));
  for (const index of others) {
    const entry = entries[index] as Entry;
    const [row]: Row[] = await sql`
      UPDATE ledger SET deliveries = deliveries + (digest = ${entry.digest})::int WHERE id = ${entry.order.id}
      RETURNING digest, "partition", "offset", tableoid::regclass::text AS "table"`;
    if (!row) throw new Error(`the ledger's row of ${entry.order.id} vanished`);
    verdicts[index] = verdictOf(entry, { ...row, offset: Number(row.offset) });
    if (row.table !== "ledger_current") ended.add(row.table);
  }
  if (ended.size > 0) await keepGenerations(sql, [...ended]);
  return verdicts;
}

/** Integers as numbers, where a number can hold them. */
function plain<Row extends Record<string, unknown>>(rows: Row[]): Row[] {
  for (const row of rows)
    for (const [name, value] of Object.entries(row))
      if (typeof value === "bigint")
        Object.assign(row, { [name]: Number.isSafeInteger(Number(value)) ? Number(value) : String(value) });
  return rows;
}

/** PostgreSQL's error codes; source: its manual, appendix A. */
const statementCancelled = "57014";
const inFailedTransaction = "25P02";
const codeOf = (error: unknown): string => String((error as { errno?: unknown } | undefined)?.errno);
/** Whether it was the record's content that the ledger's own statement failed for: data, or a constraint. */
const isOfRecord = (error: unknown): boolean => /^2[23]/.test(codeOf(error));

/** The error as the contract names it: the database's own failures apart from all others. */
const blamed = (error: unknown): unknown =>
  isUnavailable(error) ? new LedgerUnavailableError((error as Error).message, { cause: error }) : error;

/**
 * Whether an error is the database's and not the statement's: the connection broke or could not be made, or one of
 * PostgreSQL's classes 08 (connection), 28 and 3D (not admitted: role, database), 40 (rollback: deadlock,
 * serialization), 53 (resources), 57 (operator intervention: shutdown, cancel) and 58 (system), or 25006 (read-only,
 * as a server is that has handed over). Source: PostgreSQL manual, appendix A.
 */
function isUnavailable(error: unknown): boolean {
  // As the contract names it already.
  if (error instanceof LedgerUnavailableError || error instanceof BatchError) return false;
  const { code, errno } = error as { code?: string; errno?: string };
  if (typeof errno === "string" && /^(08|25006|28|3D|40|53|57|58)/.test(errno)) return true;
  return (
    typeof code === "string" &&
    /^(ERR_POSTGRES_(CONNECTION|LIFETIME|IDLE|SERVER_ERROR_SHUTDOWN)|ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_)/.test(
      code,
    )
  );
}
