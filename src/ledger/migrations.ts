/**
 * The tables of the ledger and of the effect, in numbered steps: each is applied once, in order, by whoever starts first. No
 * consumer starts on tables that are not what its steps make. Those that have no step noted are adopted if they fit.
 */
import { Database } from "bun:sqlite";
import type { SQL } from "bun";
import { LedgerUnavailableError } from "./ledger.ts";

/** Steps by owner. A step is statements that may run in a transaction and name no schema; its number is its place from 1. */
type Migrations = Readonly<Record<"ledger" | "effect", readonly string[]>>;

/** The database is not as this version needs it. The text says what is wrong and what to do; nothing was changed. */
export class SchemaError extends Error {}

type Column = { table: string; name: string; type: string; optional: boolean | number };
/** Runs statements in a transaction of which only one runs at a time. @returns the rows of a single query */
type Execute = <Row>(statements: string) => Promise<Row[]>;
type Blame = (error: unknown) => never;

/** Longest for all steps, with waiting for others that apply them. */
export const migrationTimeoutMs = 600_000;
/** Any number, the same in every consumer. */
const schemaLock = 727_001;
const book = `CREATE TABLE IF NOT EXISTS schema_migrations (
  owner TEXT NOT NULL, version INTEGER NOT NULL, digest TEXT NOT NULL, applied_at TEXT NOT NULL,
  PRIMARY KEY (owner, version))`;

const columnsInPostgres = `
  SELECT relname AS "table", attname AS name, atthasdef OR attidentity <> '' OR NOT attnotnull AS optional,
    format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END AS type
  FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
  WHERE relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped AND pg_table_is_visible(attrelid)
    AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)`;
const columnsInSqlite = `
  SELECT m.name AS "table", c.name, upper(c.type) || iif(c."notnull", ' NOT NULL', '') AS type,
    NOT c."notnull" OR c.dflt_value IS NOT NULL AS optional
  FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c WHERE m.type = 'table'`;

/** @param sql a transaction. @throws SchemaError, or what the database says of its own failures */
export async function migratePostgres(sql: SQL, migrations: Migrations, blame: Blame): Promise<void> {
  await sql.unsafe(`SET LOCAL statement_timeout = ${migrationTimeoutMs}`);
  await sql`SELECT pg_advisory_xact_lock(${schemaLock})`;
  const execute: Execute = (statements) => sql.unsafe(statements).catch(blame);
  // Who may make no tables may not even ask for one that is there.
  const [at] = await sql`SELECT getdatabaseencoding() AS encoding, to_regclass('schema_migrations') AS noted`;
  if (!/^(UTF8|SQL_ASCII)$/.test(at.encoding))
    throw new SchemaError(`a database in ${at.encoding} does not take every character: make one in UTF8`);
  if (!at.noted) await execute(book);
  await migrate(migrations, execute, async (steps) => {
    const actual = await execute<Column>(columnsInPostgres);
    await execute("SAVEPOINT scratch");
    // Temporary tables need fewer rights, but do not go with materialized views.
    const [may] = await sql`SELECT has_database_privilege(current_database(), 'CREATE') AS make,
      current_setting('search_path') AS path`;
    if (may.make) await execute("CREATE SCHEMA migrations_scratch");
    await execute(`SET LOCAL search_path = ${may.make ? "migrations_scratch" : "pg_temp"}, ${may.path}`);
    for (const step of steps)
      await execute(step).catch((cause) => {
        if (cause instanceof LedgerUnavailableError) throw cause;
        throw new SchemaError(`${cause.message}, in an empty schema, to compare; name no schema in: ${step}`);
      });
    const expected = await execute<Column>(columnsInPostgres);
    await execute("ROLLBACK TO SAVEPOINT scratch");
    refuseMisfits(expected, actual);
  });
  const off = sql`SELECT name FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit') AND setting = 'off'`;
  for (const { name } of await off)
    process.emitWarning(`PostgreSQL's ${name} is off: a crash loses orders that were handled`);
}

/** @param database with a transaction under way. @throws SchemaError, or what the database says of its own failures */
export async function migrateSqlite(database: Database, migrations: Migrations, blame: Blame) {
  const run = async (statements: string) => {
    if (statements.startsWith("SELECT")) return database.query(statements).all() as never[];
    database.run(statements);
    return [];
  };
  const execute: Execute = (statements) => run(statements).catch(blame);
  await execute(book);
  await migrate(migrations, execute, async (steps) => {
    using scratch = new Database(":memory:");
    for (const step of steps) scratch.run(step);
    const [expected, actual] = [scratch, database].map((of) => of.query<Column, []>(columnsInSqlite).all());
    refuseMisfits(expected ?? [], actual ?? []);
  });
}

/** Applies what is new, where the book is. @param check whether the tables are what these steps make */
async function migrate(migrations: Migrations, execute: Execute, check: (steps: string[]) => Promise<void>) {
  const made: string[] = [];
  // Who has no steps, e.g. since the effect lies elsewhere now, has no use for what earlier versions made.
  for (const [owner, steps] of Object.entries(migrations).filter(([, { length }]) => length > 0)) {
    const which = (index: number) => `step ${index + 1} of the ${owner}'s tables`;
    const noted = `SELECT digest FROM schema_migrations WHERE owner = '${owner}' ORDER BY version`;
    const applied = await execute<{ digest: string }>(noted).catch((cause) => {
      if (cause instanceof LedgerUnavailableError) throw cause;
      const whose = "where that is another program's, give the ledger a database or a schema of its own";
      throw new SchemaError(`schema_migrations can't be read: ${cause.message}; ${whose}`, { cause });
    });
    const ahead = `the database is ahead of this version, which does not know ${which(steps.length)}: start a newer one`;
    if (applied.length > steps.length) throw new SchemaError(ahead);
    for (const [index, step] of steps.entries()) {
      made.push(step);
      if (applied[index]?.digest === digestOf(step)) continue;
      const changed = `${which(index)} was changed after it was applied: put it back as it was, and add a step for the change`;
      if (applied[index]) throw new SchemaError(changed);
      await execute("SAVEPOINT step");
      await execute(step).catch(async (error) => {
        if (error instanceof LedgerUnavailableError) throw error;
        await execute("ROLLBACK TO SAVEPOINT step");
        const failed = `${which(index)} failed: ${error.message}`;
        // More of the cause than the first column that was missed.
        const misfits = await check(made.slice(0, -1)).catch(({ message }) => message);
        throw new SchemaError(misfits ? `${failed}; ${misfits}` : failed, { cause: error });
      });
      await execute(`INSERT INTO schema_migrations VALUES
        ('${owner}', ${index + 1}, '${digestOf(step)}', '${new Date().toISOString()}')`);
    }
  }
  await check(made);
}

/** Columns of others are no fault where a row may do without. */
function refuseMisfits(expected: readonly Column[], actual: readonly Column[]): void {
  const nameOf = ({ table, name }: Column) => `${table}.${name}`;
  const there = new Map(actual.map((column) => [nameOf(column), column.type]));
  const tables = new Set(expected.map(({ table }) => table));
  const names = new Set(expected.map(nameOf));
  const faults = expected
    .filter((column) => there.get(nameOf(column)) !== column.type)
    .map((column) => `${nameOf(column)} is ${there.get(nameOf(column)) ?? "missing"}, not ${column.type}`);
  for (const column of actual)
    if (tables.has(column.table) && !names.has(nameOf(column)) && !column.optional)
      faults.push(`${nameOf(column)} is unknown, and no row may be without it`);
  if (faults.length > 0)
    throw new SchemaError(
      `tables that were there do not fit this version: ${faults.join("; ")}. Add a step that changes them, or change them by hand`,
    );
}

/** Of the words alone: a step may be laid out anew. */
const digestOf = (step: string): string =>
  new Bun.CryptoHasher("sha256").update(step.trim().replace(/\s+/g, " ")).digest("hex");
