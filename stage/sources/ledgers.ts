/** What the ledger has of orders, read past the consumers, whose word is on trial: one reader for each database. */
import { Database } from "bun:sqlite";
import { SQL } from "bun";
import { effectTable } from "../../src/handle.ts";
import type { Found, Trace } from "./evidence.ts";

const index = "stage_effects_by_order";
const statementLimitMs = 5_000;
const oneConnection = { max: 1, connectionTimeout: statementLimitMs / 1_000 };

/**
 * In PostgreSQL. Effects are found by an index, which is the only thing that the stage adds to a system: without one
 * every look would read the whole table. It is not unique, and promises nothing.
 * @param reading as whom everything is read
 * @param owning as whom the index is made, once, where those are two
 */
export function createPostgresLook(reading: SQL.Options, owning = async () => reading) {
  let sql: SQL | undefined;
  let indexing: Promise<void> | undefined;

  /** As long as it takes, on a connection of its own; once, and again where it failed. */
  function indexed(): Promise<void> {
    indexing ??= (async () => {
      if (effectTable === undefined) return;
      await using own = new SQL({ ...(await owning()), ...oneConnection });
      await own.unsafe(`CREATE INDEX CONCURRENTLY IF NOT EXISTS ${index} ON ${effectTable} (order_id)`);
    })().catch((error) => {
      indexing = undefined;
      throw error;
    });
    return indexing;
  }

  const connected = () => {
    sql ??= new SQL({ ...reading, ...oneConnection });
    return sql;
  };

  async function ask(ids: readonly string[]): Promise<(Found & { id: string; digest: string | null })[]> {
    await indexed();
    const sql = connected();
    const effects = effectTable
      ? sql`(SELECT count(*)::int FROM ${sql(effectTable)} WHERE order_id = wanted.id)`
      : sql`(CASE WHEN ledger.id IS NULL THEN 0 ELSE 1 END)`;
    return await sql`
      SELECT wanted.id, coalesce(deliveries, 0)::int AS deliveries, digest, ${effects} AS effects,
        EXISTS (SELECT FROM dead_letters WHERE order_id = wanted.id) AS dead
      FROM unnest(${sql.array([...ids], "TEXT")}::text[]) AS wanted (id)
      LEFT JOIN ledger ON ledger.id = wanted.id::uuid`;
  }

  async function askOne(id: string): Promise<TraceRow[]> {
    const [found] = await ask([id]);
    const sql = connected();
    return await sql`
      SELECT coalesce(l."partition", d."partition") AS "partition", coalesce(l."offset", d."offset")::float8 AS "offset",
        l.placed_at AS placed, l.handled_at AS handled, d.dead_at AS dead, d.reason, d.attempts,
        ${found?.deliveries ?? 0}::int AS deliveries, ${found?.effects ?? 0}::int AS effects
      FROM (SELECT ${id}::text AS id) AS wanted
      LEFT JOIN ledger AS l ON l.id = wanted.id::uuid
      LEFT JOIN (SELECT * FROM dead_letters WHERE order_id = ${id} ORDER BY dead_at DESC LIMIT 1) AS d ON true
      WHERE l.id IS NOT NULL OR d.order_id IS NOT NULL`;
  }

  return {
    async look(ids: readonly string[]): Promise<Map<string, Found>> {
      const rows = await bounded(ask(ids));
      const found = new Map<string, Found>();
      for (const { id, digest, ...row } of rows) {
        const other = found.get(id);
        if (row.deliveries === 0 && row.effects === 0 && !row.dead) continue;
        // One in each of two generations: it was handled twice, also where its effects can't be counted.
        const twice = other && {
          deliveries: other.deliveries + row.deliveries,
          effects: Math.max(2, row.effects),
        };
        found.set(id, { ...row, ...twice, digest: digest ?? undefined });
      }
      return found;
    },
    async trace(id: string): Promise<Trace | undefined> {
      const [row] = await bounded(askOne(id));
      return row && traceOf(row);
    },
    close: async (): Promise<void> => sql?.close({ timeout: 0 }),
  };
}

interface TraceRow {
  partition: number;
  offset: number;
  placed: Date | string | null;
  handled: Date | string | null;
  dead: Date | string | null;
  reason: string | null;
  attempts: number | null;
  deliveries: number;
  effects: number;
}

function traceOf({ partition, offset, deliveries, effects, ...row }: TraceRow): Trace {
  const at = (time: Date | string | null) => (time === null ? undefined : new Date(time).getTime());
  const deadMs = at(row.dead);
  return {
    ...{ partition, offset, deliveries, effects, placedMs: at(row.placed), handledMs: at(row.handled) },
    dead:
      deadMs === undefined
        ? undefined
        : { atMs: deadMs, reason: row.reason ?? "", attempts: row.attempts ?? 0 },
  };
}

async function bounded<T>(query: Promise<T>): Promise<T> {
  const late = Bun.sleep(statementLimitMs).then(() => {
    throw new Error(`the ledger does not answer within ${statementLimitMs / 1_000} s`);
  });
  late.catch(() => undefined);
  return await Promise.race([query, late]);
}

/** Effects that are remembered: far more than the orders of which anything may still be asked. */
const mostEffects = 300_000;

/**
 * The effects in SQLite, read on from where the last look ended: they are only ever added. Who has a row and no effect that is
 * remembered is looked for in the whole table.
 */
function createEffects(mostRemembered: number) {
  let effects = new Map<string, number>();
  /** Those before them: the oldest are forgotten all at once. */
  let older = new Map<string, number>();
  let newest = 0;
  const countOf = (id: string) => effects.get(id) ?? older.get(id) ?? 0;
  return {
    countOf,
    readOn(at: Database): void {
      if (effectTable === undefined) return;
      const rows = at.query<{ rowid: number; id: string }, [number]>(
        `SELECT rowid, order_id AS id FROM ${effectTable} WHERE rowid > ? ORDER BY rowid`,
      );
      for (const { rowid, id } of rows.iterate(newest)) {
        effects.set(id, countOf(id) + 1);
        if (effects.size > mostRemembered) [effects, older] = [new Map(), effects];
        newest = rowid;
      }
    },
    /** Of those of which nothing is remembered; they are from long ago, or have none. */
    countAll(at: Database, handled: string[]): Map<string, number> {
      const ids = handled.filter((id) => countOf(id) === 0);
      if (effectTable === undefined || ids.length === 0) return new Map();
      const rows = at
        .query<{ id: string; effects: number }, [string]>(
          `SELECT order_id AS id, count(*) AS effects FROM ${effectTable}
           WHERE order_id IN (SELECT value FROM json_each(?)) GROUP BY order_id`,
        )
        .all(JSON.stringify(ids));
      return new Map(rows.map((row) => [row.id, row.effects]));
    },
  };
}

/** In SQLite. */
export function createSqliteLook(path: string, mostRemembered = mostEffects) {
  let database: Database | undefined;
  function connected(): Database {
    if (database) return database;
    database = new Database(path, { readonly: true, strict: true });
    database.run("PRAGMA busy_timeout = 1000");
    return database;
  }
  const { countOf, readOn, countAll } = createEffects(mostRemembered);
  return {
    async look(ids: readonly string[]): Promise<Map<string, Found>> {
      const at = connected();
      const wanted = JSON.stringify(ids);
      const rows = at
        .query<{ id: string; deliveries: number; digest: string }, [string]>(
          "SELECT id, deliveries, digest FROM ledger WHERE id IN (SELECT value FROM json_each(?))",
        )
        .all(wanted);
      const dead = new Set(
        at
          .query<{ id: string }, [string]>(
            "SELECT order_id AS id FROM dead_letters WHERE order_id IN (SELECT value FROM json_each(?))",
          )
          .all(wanted)
          .map(({ id }) => id),
      );
      // After the rows: a row that is seen has its effect by then.
      readOn(at);
      const handled = new Map(rows.map((row) => [row.id, row]));
      const forgotten = countAll(at, [...handled.keys()]);
      const found = new Map<string, Found>();
      for (const id of ids) {
        const one = {
          deliveries: handled.get(id)?.deliveries ?? 0,
          effects: effectTable ? (forgotten.get(id) ?? countOf(id)) : handled.has(id) ? 1 : 0,
          dead: dead.has(id),
          digest: handled.get(id)?.digest,
        };
        if (one.deliveries > 0 || one.effects > 0 || one.dead) found.set(id, one);
      }
      return found;
    },
    async trace(id: string): Promise<Trace | undefined> {
      const at = connected();
      readOn(at);
      const row = at
        .query<TraceRow, [string]>(
          `SELECT coalesce(l."partition", d."partition") AS "partition", coalesce(l."offset", d."offset") AS "offset",
             l.placed_at AS placed, l.handled_at AS handled, d.dead_at AS dead, d.reason, d.attempts,
             coalesce(l.deliveries, 0) AS deliveries, 0 AS effects
           FROM (SELECT ?1 AS id) AS wanted LEFT JOIN ledger AS l ON l.id = wanted.id
           LEFT JOIN (SELECT * FROM dead_letters WHERE order_id = ?1 ORDER BY dead_at DESC LIMIT 1) AS d
           WHERE l.id IS NOT NULL OR d.order_id IS NOT NULL`,
        )
        .get(id);
      const handled = row?.handled ? 1 : 0;
      const effects = effectTable ? (countAll(at, row?.handled ? [id] : []).get(id) ?? countOf(id)) : handled;
      return row ? traceOf({ ...row, effects }) : undefined;
    },
    close: async (): Promise<void> => database?.close(),
  };
}
