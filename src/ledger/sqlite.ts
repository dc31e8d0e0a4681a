/** The ledger in a SQLite file, which processes of one machine may share. A commit is on disk before it returns. */
import { Database, SQLiteError, type SQLQueryBindings } from "bun:sqlite";
import { partyOf } from "../order.ts";
import {
  applyByCustomer,
  BatchError,
  type Entry,
  type Ledger,
  LedgerUnavailableError,
  type SqlValue,
  type Tx,
  type Verdict,
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
  `ALTER TABLE ledger ADD COLUMN copied_at TEXT;
   CREATE INDEX ledger_handled_at ON ledger (handled_at);
   CREATE INDEX dead_letters_dead_at ON dead_letters (dead_at)`,
];
/** A step of expiry; between two of them others record. */
const expiredAtOnce = 500;
const expiring = [
  // One that came once more may come again for as long as if it were new.
  ["ledger", "id", "handled_at < ?1 AND coalesce(copied_at, '') < ?1"],
  ["dead_letters", 'topic, "partition", "offset"', "dead_at < ?1"],
] as const;
const lockWaitMs = 10;
const lockTimeoutMs = 20_000;
/** The file has one writer: whoever holds it keeps all consumers from theirs. */
const longestApplyMs = 1_000;

type Row = Pick<Entry, "digest" | "partition" | "offset">;

/** @param path the file; it is made where it is missing */
export function createSqliteLedger(path: string): Ledger {
  let opened: Database | undefined;
  let openedToLook: Database | undefined;
  let tail: Promise<unknown> = Promise.resolve();

  const database = (): Database => {
    opened ??= new Database(path, { create: true, strict: true });
    return opened;
  };
  /** A connection of its own for look-ups: the other one would show them what is not committed. */
  const reader = (): Database => {
    openedToLook ??= new Database(path, { readonly: true });
    return openedToLook;
  };

  /** Tells the file's failures from the statement's. */
  async function ask<T>(work: () => T | Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw blamed(error);
    }
  }

  /** One at a time of this process: there is one connection. */
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

  const transaction = <T>(work: () => T | Promise<T>): Promise<T> =>
    exclusively(async () => {
      await locked("BEGIN IMMEDIATE");
      try {
        const result = await work();
        await locked("COMMIT");
        return result;
      } catch (error) {
        if (database().inTransaction) database().run("ROLLBACK");
        throw error;
      }
    });

  const execute = (async (strings: TemplateStringsArray, ...values: SqlValue[]) => {
    try {
      return database()
        .query(strings.join("?"))
        .all(...(values as SQLQueryBindings[]));
    } catch (error) {
      throw blamed(error);
    }
  }) as Tx;
  const findMany = (ids: readonly string[]) => ask(() => findInSqlite(reader(), ids));

  return {
    async open(effect) {
      await exclusively(async () => {
        // Whoever holds the lock is waited for between the event loop's turns (see `locked`), not inside SQLite.
        database().run("PRAGMA busy_timeout = 0");
        await locked("PRAGMA journal_mode = WAL");
        await locked("PRAGMA synchronous = FULL");
      });
      await transaction(() => migrateSqlite(database(), { ledger: tables, effect }, blamed));
    },

    record: (entries, apply) =>
      transaction(async () => {
        const verdicts = insert(database(), entries);
        const fresh = entries.filter((_, index) => verdicts[index] === "handled");
        await applyByCustomer(fresh, apply, execute);
        return verdicts;
      }).catch((error) => {
        if (error instanceof BatchError || error instanceof LedgerUnavailableError) throw error;
        // Found by the ledger's own insert, or at the commit, e.g. by a deferred constraint.
        if (/^SQLITE_(CONSTRAINT|MISMATCH|TOOBIG)/.test(error?.code))
          throw new BatchError(new Map(), false, error);
        throw new LedgerUnavailableError(String(error), { cause: error });
      }),

    longestApplyMs,

    known: (ids) =>
      ask(() => {
        const among = "SELECT id FROM ledger WHERE id IN (SELECT value FROM json_each(?))";
        const rows = reader().query<{ id: string }, [string]>(among).all(JSON.stringify(ids));
        return new Set(rows.map(({ id }) => id));
      }),

    bury: ({ topic, partition, offset, orderId, reason, attempts }) =>
      transaction(() => {
        const burial = [topic, partition, offset, orderId, reason, attempts, new Date().toISOString()];
        const add = "INSERT INTO dead_letters VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
        database().run(add, burial);
      }),

    find: async (id) => (await findMany([id])).get(id),
    findMany,

    async expire(retentionMs) {
      const before = new Date(Date.now() - retentionMs).toISOString();
      const done: string[] = [];
      for (const [table, key, isOld] of expiring) {
        const remove = `DELETE FROM ${table} WHERE (${key}) IN
          (SELECT ${key} FROM ${table} WHERE ${isOld} LIMIT ${expiredAtOnce})`;
        let [removed, step] = [0, expiredAtOnce];
        for (; step === expiredAtOnce; removed += step)
          step = await transaction(() => database().query(remove).run(before).changes);
        if (removed > 0) done.push(`${removed} rows of ${table} were removed`);
      }
      return done;
    },

    async close() {
      await tail;
      opened?.close();
      openedToLook?.close();
    },
  };
}

/** Inserts what is new and counts a delivery for what is not. @returns a verdict for each entry, in their order */
function insert(database: Database, entries: readonly Entry[]): Verdict[] {
  const handledAt = new Date().toISOString();
  const add = database.query(
    `INSERT INTO ledger (id, customer, digest, "partition", "offset", placed_at, handled_at)
     VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
  );
  const count = database.query<Row, [string, string, string]>(
    `UPDATE ledger SET deliveries = deliveries + (digest = ?), copied_at = ? WHERE id = ?
     RETURNING digest, "partition", "offset"`,
  );
  return entries.map((entry) => {
    const { order, digest, partition, offset } = entry;
    const { id, placedAt } = order;
    const { changes } = add.run(id, partyOf(order), digest, partition, offset, placedAt, handledAt);
    return changes === 1 ? "handled" : verdictOf(entry, count.get(digest, handledAt, id) as Row);
  });
}

/** The error as the contract names it: the file's own failures apart from all others. */
const blamed = (error: unknown): unknown =>
  isUnavailable(error) ? new LedgerUnavailableError(String(error), { cause: error }) : error;

/** Whether an error is the file's: no access, no lock, no room, damage. Source: SQLite's «Result and Error Codes». */
const isUnavailable = (error: unknown): boolean =>
  error instanceof SQLiteError &&
  /^SQLITE_(BUSY|LOCKED|PROTOCOL|CANTOPEN|PERM|AUTH|READONLY|FULL|IOERR|NOMEM|CORRUPT|NOTADB)/.test(
    error.code ?? "",
  );
