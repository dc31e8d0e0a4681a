/**
 * The ledger's life in PostgreSQL. Its rows lie in a few generations, tables that inherit from `ledger`: what is asked of
 * `ledger` is asked of all. New rows go to `ledger_current`, after a look at `ledger_past`, which has the ended ones, so that
 * an id is unique over all: no key of partitions could promise that. An ended generation is dropped as a whole.
 */
import type { SQL } from "bun";
import { type Ledger, LedgerUnavailableError } from "./ledger.ts";

/** Who may do what with one table may do it with the other: a new one has no rights of the old one's. */
const grants = (from: string, to: string) => `
  DO $grants$ DECLARE "right" record; BEGIN
    FOR "right" IN SELECT privilege_type AS what, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS who
      FROM pg_class, aclexplode(relacl) WHERE pg_class.oid = '${from}'::regclass
    LOOP EXECUTE format('GRANT %s ON ${to} TO %s', "right".what, "right".who); END LOOP;
  END $grants$`;

/** The step that makes a table of former versions the first generation. What is only asked holds no rows of its own. */
export const generationsStep = `
  ALTER TABLE ledger RENAME TO ledger_current;
  CREATE TABLE ledger (LIKE ledger_current INCLUDING DEFAULTS);
  CREATE TABLE ledger_past () INHERITS (ledger);
  ALTER TABLE ledger ADD CONSTRAINT ledger_rows_are_in_generations CHECK (false) NO INHERIT;
  ALTER TABLE ledger_past ADD CONSTRAINT ledger_rows_are_in_generations CHECK (false) NO INHERIT;
  ALTER TABLE ledger_current INHERIT ledger;
  ${grants("ledger_current", "ledger")};
  CREATE TABLE ledger_generations (
    name text PRIMARY KEY, begun_at timestamptz NOT NULL DEFAULT now(), ended_at timestamptz);
  INSERT INTO ledger_generations (name) VALUES ('ledger_current')`;

/** So many ended generations make up the retention. Each costs every insert a look; fewer keep rows for longer. */
const generations = 2;
const lockNotAvailable = "55P03";
/** Any number, the same in every consumer. */
const expiryLock = 727_002;
const [shortestLockMs, lettersAtOnce] = [500, 10_000];
/** The server's time, or this process's where that is behind: once it is put right, what was stamped would seem old. */
const latest = (sql: SQL) => sql`greatest(clock_timestamp(), to_timestamp(${Date.now() / 1_000}::float8))`;

/**
 * Ends the current generation when it is old enough, removes old rows of dead letters, drops the oldest generation when all of it
 * is old; each in its own transaction, unless another consumer is at it, and only as the tables' owner. @param longestLockMs whoever
 * records waits behind who waits for a lock: half a second, doubled up to this while it is in use
 */
export function createExpiry(
  begin: (work: (sql: SQL) => Promise<string[]>) => Promise<string[]>,
  longestLockMs: number,
): Ledger["expire"] {
  let lockMs = shortestLockMs;
  return async (retentionMs) => {
    const [done, failed]: [string[], unknown[]] = [[], []];
    for (const step of [endGeneration, removeLetters, dropGeneration]) {
      const stepped = begin(async (sql) => {
        await sql`SELECT set_config('lock_timeout', ${String(lockMs)}, true)`;
        // What seems old since the server's clock went ahead is young: how far it is before this one counts for nothing.
        const [{ mine, aheadS }] = await sql`
          SELECT pg_has_role(relowner, 'USAGE') AND pg_try_advisory_xact_lock(${expiryLock}) AS mine,
            greatest(0, extract(epoch FROM now())::float8 - ${Date.now() / 1_000}::float8) AS "aheadS"
          FROM pg_class WHERE oid = 'ledger_current'::regclass`;
        return mine ? step(sql, retentionMs / 1_000 + aheadS) : [];
      });
      await stepped.then((words) => done.push(...words)).catch((error) => failed.push(error));
    }
    const inUse = failed.some((error) => (error as { errno?: string }).errno === lockNotAvailable);
    lockMs = inUse ? Math.min(2 * lockMs, longestLockMs) : shortestLockMs;
    if (failed.length > 0) throw new LedgerUnavailableError([...done, ...failed].join("; "));
    return done;
  };
}

/** Orders of ended generations came, and may come again as if new: noted once a day, for it holds up who notes the same. */
export async function keepGenerations(sql: SQL, tables: readonly string[]): Promise<void> {
  await sql`UPDATE ledger_generations SET ended_at = ${latest(sql)}
    WHERE name IN (SELECT name FROM ledger_generations WHERE name = ANY(${sql.array([...tables], "TEXT")}::text[])
      AND ended_at < ${latest(sql)} - interval '1 day' ORDER BY name FOR UPDATE)`;
}

/**
 * Who records holds the table's lock to the end of its transaction, and looks at what is there only after it got that: so no order
 * is in both tables, and none of the old one is overlooked. That holds for READ COMMITTED alone, where a statement sees what was
 * committed before it began, and begins with its locks (PostgreSQL's manual, «Explicit Locking», «Read Committed Isolation Level»).
 */
async function endGeneration(sql: SQL, retentionS: number): Promise<string[]> {
  const [current] = await sql`
    SELECT begun_at < now() - make_interval(secs => ${retentionS / generations}) AS "isDue", (SELECT conrelid::regclass::text
      FROM pg_constraint WHERE confrelid = 'ledger_current'::regclass LIMIT 1) AS "boundBy"
    FROM ledger_generations WHERE ended_at IS NULL`;
  if (!current.isDue) return [];
  // It would go on with the old table, and refuse every order of the new one.
  if (current.boundBy) throw new Error(`first drop the foreign key of ${current.boundBy} to ledger_current`);
  await sql`LOCK TABLE ledger_current IN ACCESS EXCLUSIVE MODE`;
  const [{ name }] = await sql`
    UPDATE ledger_generations SET ended_at = ${latest(sql)}, name = to_char(clock_timestamp() AT TIME ZONE 'UTC',
      '"ledger_until_"YYYYMMDD"t"HH24MISSUS') WHERE ended_at IS NULL RETURNING name`;
  await sql.unsafe(`
    ALTER TABLE ledger_current RENAME TO ${name};
    ALTER TABLE ${name} NO INHERIT ledger; ALTER TABLE ${name} INHERIT ledger_past;
    CREATE TABLE ledger_current (LIKE ${name} INCLUDING ALL) INHERITS (ledger);
    INSERT INTO ledger_generations (name) VALUES ('ledger_current');
    ${grants(name, "ledger_current")}`);
  return [`a generation of the ledger ended: ${name}`];
}

async function dropGeneration(sql: SQL, retentionS: number): Promise<string[]> {
  const [old] = await sql`
    DELETE FROM ledger_generations WHERE ended_at < now() - make_interval(secs => ${retentionS})
      AND name = (SELECT name FROM ledger_generations ORDER BY ended_at LIMIT 1) RETURNING name`;
  if (!old) return [];
  await sql.unsafe(`DROP TABLE IF EXISTS ${old.name}`);
  return [`a generation of the ledger was dropped: ${old.name}`];
}

async function removeLetters(sql: SQL, retentionS: number): Promise<string[]> {
  const { count } = await sql`
    DELETE FROM dead_letters WHERE ctid = ANY (ARRAY(SELECT ctid FROM dead_letters
      WHERE dead_at < now() - make_interval(secs => ${retentionS}) LIMIT ${lettersAtOnce}))`;
  return count > 0 ? [`${count} rows of dead letters were removed`] : [];
}
