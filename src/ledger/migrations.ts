/**
 * The tables of the ledger and of the effect, in numbered steps: each is applied once to a database, in order, by
 * whoever starts first. A consumer does not start on tables that are not what its steps make: it would fail order after
 * order. So tables that are there without a step noted (made by CREATE TABLE IF NOT EXISTS) are adopted if they fit.
 */
import { Database } from "bun:sqlite";
import type { SQL } from "bun";
import { LedgerUnavailableError } from "./ledger.ts";

/** Steps by owner. A step is one or more statements that may run in a transaction; its number is its place from 1. */
export type Migrations = Readonly<Record<"ledger" | "effect", readonly string[]>>;

/** The database is not as this version needs it. The text says what is wrong and what to do; nothing was changed. */
export class SchemaError extends Error {
  override name = "SchemaError";
}

type Column = { table: string; name: string; type: string; optional: boolean | number };

/** A database inside a transaction of which only one runs at a time. */
type Target = {
  /** @throws LedgerUnavailableError where the statement is not to blame */
  run(statements: string): Promise<unknown>;
  applied(owner: string): Promise<{ version: number; digest: string }[]>;
  columns(): Promise<Column[]>;
  /** The columns after these steps in an empty database. */
  columnsAfter(steps: readonly string[]): Promise<Column[]>;
};

/** Longest for all steps, with waiting for others that apply them. */
export const migrationTimeoutMs = 600_000;
/** Any number, the same in every consumer. */
const schemaLock = 727_001;
const book = `CREATE TABLE IF NOT EXISTS schema_migrations (
  owner TEXT NOT NULL, version INTEGER NOT NULL, digest TEXT NOT NULL, applied_at TEXT NOT NULL,
  PRIMARY KEY (owner, version))`;

/** The error as the ledger's contract names it. */
type Blamed = (error: unknown) => unknown;

/**
 * @param sql a transaction
 * @throws SchemaError, or what the database says of its own failures
 */
export async function migratePostgres(sql: SQL, migrations: Migrations, blamed: Blamed): Promise<void> {
  await sql.unsafe(`SET LOCAL statement_timeout = ${migrationTimeoutMs}`);
  await sql`SELECT pg_advisory_xact_lock(${schemaLock})`;
  const columns = (): Promise<Column[]> => sql`
    SELECT relname AS "table", attname AS name, atthasdef OR attidentity <> '' OR NOT attnotnull AS optional,
      format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END AS type
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped AND pg_table_is_visible(attrelid)
      AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)`;
  await migrate(migrations, {
    columns,
    run: (statements) =>
      sql.unsafe(statements).catch((error: unknown) => {
        throw blamed(error);
      }),
    applied: (owner) => sql`SELECT version, digest FROM schema_migrations WHERE owner = ${owner}`,
    async columnsAfter(steps) {
      await sql`SAVEPOINT scratch`;
      // Temporary tables need fewer rights, but do not go with materialized views.
      const [may] = await sql`SELECT has_database_privilege(current_database(), 'CREATE') AS make,
        current_setting('search_path') AS path`;
      if (may.make) await sql`CREATE SCHEMA migrations_scratch`;
      await sql.unsafe(`SET LOCAL search_path = ${may.make ? "migrations_scratch" : "pg_temp"}, ${may.path}`);
      for (const step of steps) await sql.unsafe(step);
      const found = await columns();
      await sql`ROLLBACK TO SAVEPOINT scratch`;
      return found;
    },
  });
}

/**
 * @param database with a transaction under way
 * @throws SchemaError, or what the database says of its own failures
 */
export async function migrateSqlite(
  database: Database,
  migrations: Migrations,
  blamed: Blamed,
): Promise<void> {
  const columnsOf = (of: Database) =>
    of
      .query<Column, []>(
        `SELECT m.name AS "table", c.name, upper(c.type) || iif(c."notnull", ' NOT NULL', '') AS type,
           NOT c."notnull" OR c.dflt_value IS NOT NULL AS optional
         FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c WHERE m.type = 'table'`,
      )
      .all();
  await migrate(migrations, {
    async run(statements) {
      try {
        database.run(statements);
      } catch (error) {
        throw blamed(error);
      }
    },
    applied: async (owner) =>
      database
        .query<{ version: number; digest: string }, [string]>(
          "SELECT version, digest FROM schema_migrations WHERE owner = ?",
        )
        .all(owner),
    columns: async () => columnsOf(database),
    async columnsAfter(steps) {
      using scratch = new Database(":memory:");
      for (const step of steps) scratch.run(step);
      return columnsOf(scratch);
    },
  });
}

async function migrate(migrations: Migrations, target: Target): Promise<void> {
  await target.run(book);
  // Who has no steps, e.g. since the effect lies elsewhere now, has no use for what earlier versions made.
  for (const [owner, steps] of Object.entries(migrations).filter(([, { length }]) => length > 0)) {
    const applied = await target.applied(owner);
    for (const { version, digest } of applied) {
      const step = steps[version - 1];
      const which = `step ${version} of the ${owner}'s tables`;
      if (step === undefined)
        throw new SchemaError(
          `the database is ahead of this version, which does not know ${which}: start a newer one`,
        );
      if (digestOf(step) !== digest)
        throw new SchemaError(
          `${which} was changed after it was applied: put it back as it was, and add a step for the change`,
        );
    }
    for (const [index, step] of [...steps.entries()].slice(applied.length)) {
      await target.run(step).catch((error) => {
        if (error instanceof LedgerUnavailableError) throw error;
        throw new SchemaError(`step ${index + 1} of the ${owner}'s tables failed: ${error.message}`, {
          cause: error,
        });
      });
      await target.run(`INSERT INTO schema_migrations VALUES
        ('${owner}', ${index + 1}, '${digestOf(step)}', '${new Date().toISOString()}')`);
    }
  }
  const faults = misfits(await target.columnsAfter(Object.values(migrations).flat()), await target.columns());
  if (faults.length > 0)
    throw new SchemaError(
      `tables that were there do not fit this version: ${faults.join("; ")}. Add a step that changes them, or change them by hand`,
    );
}

/** How tables differ from what they should be. Columns of others are no fault where a row may do without. */
function misfits(expected: readonly Column[], actual: readonly Column[]): string[] {
  const nameOf = ({ table, name }: Column) => `${table}.${name}`;
  const there = new Map(actual.map((column) => [nameOf(column), column.type]));
  const tables = new Set(expected.map(({ table }) => table));
  const names = new Set(expected.map(nameOf));
  return [
    ...expected
      .filter((column) => there.get(nameOf(column)) !== column.type)
      .map((column) => `${nameOf(column)} is ${there.get(nameOf(column)) ?? "missing"}, not ${column.type}`),
    ...actual
      .filter((column) => tables.has(column.table) && !names.has(nameOf(column)) && !column.optional)
      .map((column) => `${nameOf(column)} is unknown, and no row may be without it`),
  ];
}

/** Of the words alone: a step may be laid out anew. */
const digestOf = (step: string): string =>
  new Bun.CryptoHasher("sha256").update(step.trim().replace(/\s+/g, " ")).digest("hex");
