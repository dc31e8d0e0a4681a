/** The ledger in PostgreSQL, shared by all consumers wherever they run. A batch is a few statements, not a few each. */
import { SQL } from "bun";
import { applyInGroups, createGrouping } from "./apply.ts";
import { createExpiry, generationsStep, keepGenerations } from "./generations.ts";
import { BatchError, type Ledger, LedgerUnavailableError, type Tx } from "./ledger.ts";
import { migratePostgres, migrationTimeoutMs } from "./migrations.ts";
import { type Ask, bury, find, insert, type Words } from "./rows.ts";

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
  // Neither has rows of its own. Where all tables are published, PostgreSQL refuses what would change them without it.
  "ALTER TABLE ledger REPLICA IDENTITY FULL; ALTER TABLE ledger_past REPLICA IDENTITY FULL",
];
const [connectTimeoutS, answerTimeoutMs] = [5, 20_000];
/** So many transactions go one at a time after two that met on a row. */
const transactionsInTurn = 100;
/** Ends on the server what the client no longer waits for, before it stops waiting. */
const ownStatementTimeoutMs = 15_000;
/** Between the handlers' deadline and the next statement. */
const idleMarginMs = 2_000;
const turnLock = 727_003;
/** Whatever the database's own default is: generations rest on it, and who waits for others' steps. */
const isolation = "ISOLATION LEVEL READ COMMITTED";
/** @param statementTimeoutMs what the statements that follow may take, set in the same round trip */
const wordsWith = (statementTimeoutMs: number): Words => ({
  insert: `
    INSERT INTO ledger_current (id, customer, digest, "partition", "offset", placed_at)
    SELECT * FROM json_to_recordset($1::text::json) AS fresh
      (id uuid, customer text, digest text, "partition" int, "offset" bigint, placed_at timestamptz)
    WHERE id <> ALL (ARRAY(SELECT id FROM ledger_past WHERE id = ANY
      (ARRAY(SELECT (value->>'id')::uuid FROM json_array_elements($1::text::json)))))
    ON CONFLICT (id) DO NOTHING
    RETURNING id, (SELECT set_config('statement_timeout', '${statementTimeoutMs}', true))`,
  among: (column, type) =>
    `${column} = ANY (ARRAY(SELECT json_array_elements_text($1::text::json)::${type}))`,
  count: `
    UPDATE ledger SET deliveries = deliveries + (digest = $1)::int WHERE id = $2
    RETURNING digest, "partition", "offset", tableoid::regclass::text AS "table"`,
  burials: `
    SELECT DISTINCT ON (topic, "partition", "offset") one.*, now() FROM json_to_recordset($1::text::json) AS one
      (topic text, "partition" int, "offset" bigint, "orderId" text, reason text, attempts int)`,
});
const words = wordsWith(ownStatementTimeoutMs);
function askOf(sql: SQL): Ask {
  return async (statement, ...values) => plain(await sql.unsafe(statement, values)) as never[];
}

/** Transactions under way at once, beside two for look-ups; and ms of a handler in one, on top of the database's own time. */
export type LedgerOptions = { connections: number; handlerTimeoutMs: number };

const connect = (url: string, connections: number, handlerTimeoutMs: number): SQL =>
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

export function createPostgresLedger(url: string, { connections, handlerTimeoutMs }: LedgerOptions): Ledger {
  let pool = connect(url, connections, handlerTimeoutMs);
  let inTurn = 0;
  const grouping = createGrouping();
  /** One transaction at a time waits for its turn on the server: of a consumer that is frozen all would have theirs there. */
  let turn: ReturnType<Ledger["record"]> = Promise.resolve([]);
  /** Everything asked is bounded. A pool that did not answer is replaced: its other connections lead nowhere either. */
  function ask<T>(work: (sql: SQL) => Promise<T>, timeoutMs = answerTimeoutMs): Promise<T> {
    const used = pool;
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      if (pool === used) replacePool();
      reject(new LedgerUnavailableError(`no answer from PostgreSQL within ${timeoutMs} ms`));
    }, timeoutMs);
    const answer = Promise.race([Promise.try(work, used), late]).catch(blame);
    answer.catch(({ cause }) => pool === used && ofTheSession.test(codeOf(cause)) && replacePool());
    return answer.finally(() => clearTimeout(timer));
  }
  function replacePool(): void {
    pool.close({ timeout: 0 }).catch((error) => process.emitWarning(`closing connections: ${error}`));
    pool = connect(url, connections, handlerTimeoutMs);
  }
  return {
    open(effect) {
      const migrate = (sql: SQL) => migratePostgres(sql, { ledger: tables, effect }, blame);
      return ask((sql) => sql.begin(isolation, migrate), migrationTimeoutMs);
    },
    record: (entries, apply, statementTimeoutMs = handlerTimeoutMs) => {
      const [isShared, takesTurn] = [entries.length > 1, inTurn > 0];
      inTurn -= Number(takesTurn);
      let [begun, isUsed] = [false, false];
      const work = async (sql: SQL) => {
        begun = true;
        if (takesTurn) await sql`SELECT pg_advisory_xact_lock(${turnLock})`;
        const execute: Tx = async (strings, ...values) => {
          isUsed = true;
          try {
            return plain<never>(await sql(strings, ...values).execute());
          } catch (error) {
            const { routine = "", where = "" } = error as { routine?: string; where?: string };
            const isMet = !takesTurn && metOnRow.test(codeOf(error) + (isShared ? where : ""));
            if (isMet) inTurn = transactionsInTurn;
            if ((isShared ? lateOrTaken : late).test(codeOf(error)) && !isMet)
              throw Object.assign(error as Error, { name: "TimeoutError" });
            // A table was changed since, or the plans were thrown away or are another's: that is no order's doing.
            blame(error, isMet || /^(Revalidate|Fetch|Store)/.test(routine) ? any : undefined);
          }
        };
        const inserting = insert(askOf(sql), wordsWith(statementTimeoutMs), entries);
        const { verdicts, tables } = await inserting.catch(blameOwn);
        tables.delete("ledger_current");
        if (tables.size > 0) await keepGenerations(sql, [...tables]).catch(blameOwn);
        const recorded = await applyInGroups(entries, verdicts, {
          apply,
          execute,
          isCollateral: (error) => codeOf(error) === "25P02", // in_failed_sql_transaction
          takeBack: (ids) => askOf(sql)(`DELETE FROM ledger_current WHERE ${words.among("id", "uuid")}`, ids),
          grouping,
          timeoutMs: statementTimeoutMs,
        });
        // What handlers' statements put off to the commit would have no limit there.
        if (isUsed) await execute`SET CONSTRAINTS ALL IMMEDIATE`;
        return recorded;
      };
      // A statement may begin half of its handler's time after its end, and has as much again; so has what is put off to the commit.
      const begin = () => ask((sql) => sql.begin(isolation, work), 3.5 * handlerTimeoutMs + answerTimeoutMs);
      if (takesTurn) turn = turn.then(begin, begin);
      return (takesTurn ? turn : begin()).catch((error) => {
        if (error instanceof BatchError || error instanceof LedgerUnavailableError) throw error;
        // There was no connection, be it for a right, a certificate or a setting.
        if (!begun) blame(error, any);
        // Found by the ledger's own insert, or at the commit, e.g. by a deferred constraint.
        throw new BatchError(new Map(), error);
      });
    },
    bury: async (...letters) => void (await ask((sql) => bury(askOf(sql), words, letters))),
    find: (ids) => ask((sql) => find(askOf(sql), words, ids)).catch((error) => blame(error, /^[\dA-Z]{5}$/)),
    expire: createExpiry((work) => ask((sql) => sql.begin(isolation, work)), handlerTimeoutMs + idleMarginMs),
    close: () => pool.close({ timeout: connectTimeoutS }),
  };
}

/** Integers as numbers, where a number can hold them. */
function plain<Row extends Record<string, unknown>>(rows: Row[]): Row[] {
  for (const row of rows)
    for (const [name, value] of Object.entries(row))
      if (typeof value === "bigint")
        Object.assign(row, { [name]: Number.isSafeInteger(Number(value)) ? Number(value) : String(value) });
  return rows;
}

/** PostgreSQL's error codes (its manual, appendix A): a statement was ended; or another's cursor or table has the name of its own. */
const [late, lateOrTaken] = [/^57014$/, /^(57014|42P0[37])$/];
/** A deadlock, or time spent on a row (its place, in any language) that another has: they take e.g. a stock in different orders. */
const metOnRow = /^40P01|^(57014|55P03)[\s\S]*\d, ?\d/;
/** What stays so while a connection lives: its plans, its settings, and the server it leads to, which may have handed over. */
const ofTheSession = /^(0A000|25006|26000|42P01)$/;
const codeOf = (error: unknown): string => String((error as { errno?: unknown } | undefined)?.errno);
/** Its own statement may fail for the record's content: data, a constraint (but no column that is not its own), a trigger. */
const blameOwn = (error: unknown) => blame(error, /^(?!22|23(?!502)|P0)/);

/**
 * The connection: class 08 and the client's words. Or PostgreSQL's 28 and 3D (role, database), 40 (rollback), 53 (resources,
 * but not 53400, a limit of the statement's), 57 (operator), 58 (system, but not 58P01 and 58P02, the file that it names), 25006
 * (read-only, as one that handed over), 25P03, 25P04 (a transaction that stood still, or took too long): its manual, appendix A.
 */
const ofTheServer = /^(08...|25006|25P0[34]|28...|3D...|40...|53[0-3]..|57...|58\d..)$/;
const ofTheConnection =
  /^(ERR_POSTGRES_(CONNECTION|LIFETIME|IDLE|SERVER_ERROR_SHUTDOWN)|ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_)/;
const any = /^/;

/** Throws the error as the contract names it: the database's own failures apart from all others; `its`: which those are. */
function blame(error: unknown, its = ofTheServer): never {
  const { routine, code, name } = error as SQL.PostgresError;
  // What a trigger or function raises is its own word, whatever code it gives that; a statement's limit has a name by now.
  const isOwn = routine === "exec_stmt_raise" || name === "TimeoutError";
  if (!isOwn && (its.test(codeOf(error)) || ofTheConnection.test(code)))
    throw new LedgerUnavailableError((error as Error).message, { cause: error });
  throw error;
}
