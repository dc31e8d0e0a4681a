/**
 * The ledger's life in PostgreSQL. Its rows lie in a few generations, tables that inherit from `ledger`: what is asked of
 * `ledger` is asked of all. New rows go to `ledger_current`, after a look at `ledger_past`, which has the ended ones; so an
 * order's id is unique over all of them. Partitions could not promise that: a unique key must hold what they are cut by.
 * An ended generation is dropped as a whole: to delete its rows one by one would cost as much as to insert them.
 */
import type { SQL } from "bun";

/** The step that makes a table of former versions the first generation. */
export const generationsStep = `
  ALTER TABLE ledger RENAME TO ledger_current;
  CREATE TABLE ledger (LIKE ledger_current INCLUDING DEFAULTS);
  CREATE TABLE ledger_past () INHERITS (ledger);
  ALTER TABLE ledger_current INHERIT ledger;
  CREATE TABLE ledger_generations (
    name text PRIMARY KEY, begun_at timestamptz NOT NULL DEFAULT now(), ended_at timestamptz);
  INSERT INTO ledger_generations (name) VALUES ('ledger_current')`;

/** So many ended generations make up the retention. Each costs every insert a look; fewer keep rows for longer. */
const generations = 2;
/** Whoever records waits behind who waits for a table's lock: so long at most. */
const lockTimeoutMs = 500;
const lockNotAvailable = "55P03";
/** Any number, the same in every consumer. */
const expiryLock = 727_002;
const lettersAtOnce = 10_000;

/**
 * Ends the current generation when it is old enough, drops those of which every row is older than the retention, and
 * removes dead letters' rows of that age; each in a transaction of its own. Where a table is in use all the time, or
 * another consumer is at it, it is left for the next time.
 * @param begin runs a transaction
 * @returns what was done, in words
 */
export async function expireInPostgres(
  begin: (work: (sql: SQL) => Promise<string[]>) => Promise<string[]>,
  retentionMs: number,
): Promise<string[]> {
  const done: string[] = [];
  for (const step of [endGeneration, dropGenerations, removeLetters])
    try {
      const alone = async (sql: SQL) => {
        await sql`SELECT set_config('lock_timeout', ${String(lockTimeoutMs)}, true)`;
        const [{ mine }] = await sql`SELECT pg_try_advisory_xact_lock(${expiryLock}) AS mine`;
        return mine ? step(sql, retentionMs / 1_000) : [];
      };
      done.push(...(await begin(alone)));
    } catch (error) {
      if ((error as { errno?: string }).errno !== lockNotAvailable) throw error;
      done.push("left for the next time: the ledger's table is in use");
    }
  return done;
}

/**
 * Who records holds the table's lock to the end of its transaction, and looks at what is there only after it got the
 * lock: so no order is in both tables, and none of the old one is overlooked. Source: PostgreSQL's manual, «Explicit
 * Locking» and «Read Committed Isolation Level»: a statement sees what was committed before it began, and it begins with
 * its locks.
 */
async function endGeneration(sql: SQL, retentionS: number): Promise<string[]> {
  const isDue = async () => {
    const [row] =
      await sql`SELECT begun_at < now() - make_interval(secs => ${retentionS / generations}) AS due
      FROM ledger_generations WHERE ended_at IS NULL`;
    return row.due;
  };
  if (!(await isDue())) return [];
  await sql`LOCK TABLE ledger_current IN ACCESS EXCLUSIVE MODE`;
  const [{ name }] = await sql`
    UPDATE ledger_generations
    SET ended_at = clock_timestamp(), name = to_char(clock_timestamp() AT TIME ZONE 'UTC', '"ledger_until_"YYYYMMDD"t"HH24MISSUS')
    WHERE ended_at IS NULL RETURNING name`;
  await sql.unsafe(`
    ALTER TABLE ledger_current RENAME TO ${name};
    ALTER TABLE ${name} NO INHERIT ledger;
    ALTER TABLE ${name} INHERIT ledger_past;
    CREATE TABLE ledger_current (LIKE ${name} INCLUDING ALL) INHERITS (ledger);
    INSERT INTO ledger_generations (name) VALUES ('ledger_current')`);
  return [`a generation of the ledger ended: ${name}`];
}

async function dropGenerations(sql: SQL, retentionS: number): Promise<string[]> {
  const old: { name: string }[] = await sql`
    DELETE FROM ledger_generations WHERE ended_at < now() - make_interval(secs => ${retentionS}) RETURNING name`;
  for (const { name } of old) await sql.unsafe(`DROP TABLE ${name}`);
  return old.map(({ name }) => `a generation of the ledger was dropped: ${name}`);
}

async function removeLetters(sql: SQL, retentionS: number): Promise<string[]> {
  const { count } = await sql`
    DELETE FROM dead_letters WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM dead_letters WHERE dead_at < now() - make_interval(secs => ${retentionS})
      LIMIT ${lettersAtOnce}))`;
  return count > 0 ? [`${count} rows of dead letters were removed`] : [];
}
