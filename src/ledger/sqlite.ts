/**
 * The ledger in a SQLite file, for one machine: several processes may share it. Fully durable: a commit is on disk
 * before it returns (WAL with synchronous=FULL).
 */
import { Database, SQLiteError, type SQLQueryBindings } from "bun:sqlite";
import {
  applyByCustomer,
  EffectError,
  type Ledger,
  LedgerUnavailableError,
  type SqlValue,
  type Tx,
  verdictOf,
} from "./ledger.ts";
import { findInSqlite } from "./look-up.ts";
import { migrateSqlite } from "./migrations.ts";

const tables = [
  `CREATE TABLE IF NOT EXISTS ledger (
    id TEXT PRIMARY KEY, customer TEXT NOT NULL, digest TEXT NOT NULL, "partition" INTEGER NOT NULL,
    "offset" INTEGER NOT NULL, placed_at TEXT NOT NULL, handled_at TEXT NOT NULL,
    deliveries INTEGER NOT NULL DEFAULT 1) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS dead_letters (
    topic TEXT NOT NULL, "partition" INTEGER NOT NULL, "offset" INTEGER NOT NULL, order_id TEXT,
    reason TEXT NOT NULL, attempts INTEGER NOT NULL, dead_at TEXT NOT NULL,
    PRIMARY KEY (topic, "partition", "offset")) WITHOUT ROWID`,
  `CREATE INDEX IF NOT EXISTS dead_letters_order ON dead_letters (order_id)`,
];
const lockWaitMs = 10;
const lockTimeoutMs = 20_000;

type Row = { digest: string; partition: number; offset: number };

/** @param path the file; it is made where it is missing */
export function createSqliteLedger(path: string): Ledger {
  let opened: Database | undefined;
  let openedToLook: Database | undefined;
  let tail: Promise<unknown> = Promise.resolve();

  function database(): Database {
    if (!opened) {
      opened = new Database(path, { create: true, strict: true });
      // Whoever holds the lock is waited for between the event loop's turns (see `locked`), not inside SQLite.
      opened.run("PRAGMA busy_timeout = 0");
    }
    return opened;
  }

  /** A connection of its own for look-ups: the other one would show them what is not committed. */
  function reader(): Database {
    openedToLook ??= new Database(path, { readonly: true });
    return openedToLook;
  }

  /** Tells the file's failures from the statement's. */
  async function ask<T>(work: () => T | Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw error instanceof EffectError ? error.cause : blamed(error);
    }
  }

  /** One transaction of this process at a time: there is one connection. */
  function exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = tail.then(() => ask(work));
    tail = result.catch(() => undefined);
    return result;
  }

  /** Runs a statement that needs the lock of the file, waiting for other processes, at most so long. */
  async function locked(sql: string): Promise<void> {
    const deadline = Date.now() + lockTimeoutMs;
    for (;;) {
      try {
        database().run(sql);
        return;
      } catch (error) {
        const busy = error instanceof SQLiteError && error.code?.startsWith("SQLITE_BUSY");
        if (!busy || Date.now() > deadline) throw error;
        await Bun.sleep(lockWaitMs);
      }
    }
  }

  async function transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    await locked("BEGIN IMMEDIATE");
    let open = true;
    const tx = (async (strings: TemplateStringsArray, ...values: SqlValue[]) => {
      if (!open) throw new Error("the ledger's transaction is over");
      try {
        return database()
          .query(strings.join("?"))
          .all(...(values as SQLQueryBindings[]));
      } catch (error) {
        throw blamed(error);
      }
    }) as Tx;
    try {
      const result = await work(tx);
      open = false;
      await locked("COMMIT");
      return result;
    } catch (error) {
      open = false;
      if (database().inTransaction) database().run("ROLLBACK");
      throw error;
    }
  }

  const findMany = (ids: readonly string[]) => ask(() => findInSqlite(reader(), ids));

  return {
    open: (effect) =>
      exclusively(async () => {
        await locked("PRAGMA journal_mode = WAL");
        await locked("PRAGMA synchronous = FULL");
        await transaction(() => migrateSqlite(database(), { ledger: tables, effect }, blamed));
      }),

    record: (entries, apply) =>
      exclusively(() =>
        transaction(async (tx) => {
          const handledAt = new Date().toISOString();
          const insert = database().query(
            `INSERT INTO ledger (id, customer, digest, "partition", "offset", placed_at, handled_at)
             VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
          );
          const count = database().query<Row, [string, string]>(
            `UPDATE ledger SET deliveries = deliveries + (digest = ?) WHERE id = ?
             RETURNING digest, "partition", "offset"`,
          );
          const verdicts = entries.map((entry) => {
            const { order, digest, partition, offset } = entry;
            const { changes } = insert.run(
              order.id,
              order.customer,
              digest,
              partition,
              offset,
              order.placedAt,
              handledAt,
            );
            if (changes === 1) return "handled" as const;
            return verdictOf(entry, count.get(digest, order.id) as Row);
          });
          await applyByCustomer(
            entries.filter((_, index) => verdicts[index] === "handled"),
            (entry) => apply(entry, tx),
          );
          return verdicts;
        }),
      ),

    bury: ({ topic, partition, offset, orderId, reason, attempts }) =>
      exclusively(() =>
        transaction(async (tx) => {
          await tx`INSERT INTO dead_letters VALUES (${topic}, ${partition}, ${offset}, ${orderId}, ${reason},
            ${attempts}, ${new Date().toISOString()}) ON CONFLICT DO NOTHING`;
        }),
      ),

    find: async (id) => (await findMany([id])).get(id),
    findMany,

    async close() {
      await tail;
      opened?.close();
      openedToLook?.close();
    },
  };
}

/** The error as the contract names it: the file's own failures apart from all others. */
const blamed = (error: unknown): unknown =>
  isUnavailable(error) ? new LedgerUnavailableError(String(error), { cause: error }) : error;

/**
 * Whether an error is the file's and not the statement's: no access, no lock, no room, damage. Source: SQLite's
 * «Result and Error Codes».
 */
const isUnavailable = (error: unknown): boolean =>
  error instanceof SQLiteError &&
  /^SQLITE_(BUSY|LOCKED|PROTOCOL|CANTOPEN|PERM|AUTH|READONLY|FULL|IOERR|NOMEM|CORRUPT|NOTADB)/.test(
    error.code ?? "",
  );
