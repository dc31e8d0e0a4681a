/** The ledger in a SQLite file, which processes of one machine may share. A commit is on disk before it returns. */
import { Database, SQLiteError } from "bun:sqlite";
import { existsSync, realpathSync, statSync } from "node:fs";
import { applyInGroups, bare, createGrouping } from "./apply.ts";
import { BatchError, type Ledger, LedgerUnavailableError, type Tx } from "./ledger.ts";
import { migrateSqlite } from "./migrations.ts";
import { type Ask, bury, find, insert, type Words } from "./rows.ts";

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
const rolledBack = new Error("another's statement ended the transaction");
/** SQLite's client runs the first of several statements and says nothing of the others. */
const isSeveral = (sql: string): boolean => /;\s*[^\s;]/.test(bare(sql));
const [lockWaitMs, lockTimeoutMs, longestApplyMs] = [10, 20_000, 1_000];
const now = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";
const words: Words = {
  insert: `
    INSERT INTO ledger (id, customer, digest, "partition", "offset", placed_at, handled_at)
    SELECT value->>'id', value->>'customer', value->>'digest', value->>'partition', value->>'offset',
      value->>'placed_at', ${now} FROM json_each($1) WHERE true
    ON CONFLICT DO NOTHING RETURNING id`,
  among: (column) => `${column} IN (SELECT value FROM json_each($1))`,
  count: `
    UPDATE ledger SET deliveries = deliveries + (digest = $1), copied_at = ${now} WHERE id = $2
    RETURNING digest, "partition", "offset", 'ledger' AS "table"`,
  burials: `
    SELECT value->>'topic', value->>'partition', value->>'offset', value->>'orderId', value->>'reason',
      value->>'attempts', ${now} FROM json_each($1) WHERE true`,
};
function askOf(database: Database): Ask {
  return async (statement, ...values) => database.query(statement).all(...values) as never[];
}

function inodesOf(path: string): string {
  const file = existsSync(path) ? realpathSync(path) : path;
  return ["", "-wal", "-shm"].map((end) => statSync(file + end, { throwIfNoEntry: false })?.ino).join();
}

function txOf(database: Database): Tx {
  return async (strings, ...values) => {
    // INSERT OR ROLLBACK ends it: what follows would be committed by itself.
    if (!database.inTransaction) throw rolledBack;
    const sql = strings.join("?");
    if (isSeveral(sql)) throw new Error("several statements in one: only the first would be run");
    return askOf(database)<never>(sql, ...values).catch(blame);
  };
}

/** Runs a statement that needs the lock of the file, waiting for other processes, at most so long since it was asked for. */
async function locked(database: () => Database, sql: string, askedMs = performance.now()): Promise<void> {
  const deadlineMs = askedMs + lockTimeoutMs;
  for (;;) {
    try {
      return void database().run(sql);
    } catch (error) {
      const busy = error instanceof SQLiteError && error.code?.startsWith("SQLITE_BUSY");
      if (!busy || performance.now() > deadlineMs) throw error;
    }
    await Bun.sleep(lockWaitMs);
  }
}

/** @param path the file; it is made where it is missing */
export function createSqliteLedger(path: string): Ledger {
  let opened: Database | undefined;
  let openedToLook: Database | undefined;
  let madeAs: string | undefined;
  const grouping = createGrouping();
  let tail: Promise<unknown> = Promise.resolve();
  const database = (): Database => (opened ??= new Database(path, { create: true, strict: true }));
  /** A connection of its own for look-ups: the other one would show them what is not committed. */
  const reader = (): Database => (openedToLook ??= new Database(path, { readonly: true }));
  /** One at a time of this process: there is one connection. */
  function transaction<T>(work: () => T | Promise<T>): Promise<T> {
    const askedMs = performance.now();
    const done = tail.then(async () => {
      await locked(database, "BEGIN IMMEDIATE", askedMs);
      try {
        const result = await work();
        await locked(database, "COMMIT");
        madeAs ??= inodesOf(path);
        // What was removed or replaced takes all that is in it along, unless that is in the file itself.
        if (inodesOf(path) !== madeAs) {
          await locked(database, "PRAGMA wal_checkpoint");
          throw new LedgerUnavailableError(`${path}, or its -wal or -shm, was replaced: start anew`);
        }
        return result;
      } catch (error) {
        if (database().inTransaction) database().run("ROLLBACK");
        throw error;
      }
    });
    tail = done.catch(() => undefined);
    return done.catch(blame);
  }
  return {
    async open(effect) {
      // At its next try the file may be another one.
      for (const one of [opened, openedToLook]) one?.close();
      [opened, openedToLook] = [undefined, undefined];
      // Whoever holds the lock is waited for between the event loop's turns (see `locked`), not inside SQLite.
      for (const setting of ["busy_timeout = 0", "journal_mode = WAL", "synchronous = FULL"])
        await locked(database, `PRAGMA ${setting}`).catch(blame);
      await transaction(() => migrateSqlite(database(), { ledger: tables, effect }, blame));
    },
    record: (entries, apply, timeoutMs = longestApplyMs) =>
      transaction(async () => {
        const { verdicts } = await insert(askOf(database()), words, entries);
        return applyInGroups(entries, verdicts, {
          apply,
          execute: txOf(database()),
          isCollateral: (error) => error === rolledBack,
          takeBack: (ids) => askOf(database())(`DELETE FROM ledger WHERE ${words.among("id", "uuid")}`, ids),
          grouping,
          timeoutMs,
        });
      }).catch((error) => {
        if (error instanceof BatchError || error instanceof LedgerUnavailableError) throw error;
        // Found by the ledger's own insert, or at the commit, e.g. by a deferred constraint.
        if (/^SQLITE_(CONSTRAINT|MISMATCH|TOOBIG)/.test(error?.code)) throw new BatchError(new Map(), error);
        blame(error, any);
      }),
    // The file has one writer: whoever holds it keeps all consumers from theirs.
    longestApplyMs,
    bury: (...letters) => transaction(async () => void (await bury(askOf(database()), words, letters))),
    async find(ids) {
      // What is asked meanwhile goes together in the next look.
      await new Promise(setImmediate);
      return Promise.try(() => find(askOf(reader()), words, ids)).catch((error) => blame(error, any));
    },
    async expire(retentionMs) {
      const before = new Date(Date.now() - retentionMs).toISOString();
      const done: string[] = [];
      for (const [table, key, isOld] of expiring) {
        const remove = `DELETE FROM ${table} WHERE (${key}) IN
          (SELECT ${key} FROM ${table} WHERE ${isOld} LIMIT ${expiredAtOnce})`;
        let removed = 0;
        for (let step = expiredAtOnce; step === expiredAtOnce; removed += step)
          step = await transaction(() => database().query(remove).run(before).changes);
        if (removed > 0) done.push(`${removed} rows of ${table} were removed`);
      }
      return done;
    },
    async close() {
      await tail;
      for (const one of [opened, openedToLook]) one?.close();
    },
  };
}

/** No access, no lock, no room, damage. Source: SQLite's «Result and Error Codes». */
const ofTheFile =
  /^SQLITE_(BUSY|LOCKED|PROTOCOL|CANTOPEN|PERM|AUTH|READONLY|FULL|IOERR|NOMEM|CORRUPT|NOTADB)/;
const any = /^/;

/** Throws the error as the contract names it: the file's own failures apart from all others; `its`: which those are. */
function blame(error: unknown, its = ofTheFile): never {
  if (its.test(String((error as { code?: unknown } | undefined)?.code)))
    throw new LedgerUnavailableError(String(error), { cause: error });
  throw error;
}
