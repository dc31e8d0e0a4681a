/** The ledger's generations in a real PostgreSQL: one id has one row, whatever generation is ended, dropped or in use. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, setSystemTime, test } from "bun:test";
import { SQL } from "bun";
import { entryOf, viewOf } from "../../testing/entries.ts";
import { type PostgresServer, startPostgres } from "../../testing/postgres.ts";
import type { Entry, Ledger } from "./ledger.ts";
import { createLedger } from "./open.ts";

const dayMs = 86_400_000;
const effects = ["CREATE TABLE effects (id TEXT NOT NULL)"];
let server: PostgresServer;
let url: string;
let sql: SQL;
let ledger: Ledger;
let other: Ledger;
beforeAll(() => {
  server = startPostgres();
}, 120_000);
beforeEach(async () => {
  url = await server.newDatabase();
  sql = new SQL({ url, max: 2 });
  [ledger, other] = [newLedger(), newLedger()];
  await ledger.open(effects);
  await other.open(effects);
});
afterEach(async () => {
  await Promise.all([ledger.close(), other.close(), sql.close()]);
});
afterAll(() => server[Symbol.dispose]());

const newLedger = () => createLedger(url, { connections: 4, handlerTimeoutMs: 10_000 });
const record = (entries: readonly Entry[], by = ledger) =>
  by.record(entries, async ({ order }, tx) => {
    await tx`INSERT INTO effects VALUES (${order.id})`;
  });
/** Where days go by so fast, PostgreSQL may choose this for a victim of a deadlock with whoever records, or that. */
async function undisturbed<T>(work: () => PromiseLike<T>): Promise<T> {
  for (;;)
    try {
      return await work();
    } catch (error) {
      if (!String(error).includes("deadlock")) throw error;
    }
}
/** So many days go by. */
const age = (days: number) => sql`UPDATE ledger_generations
  SET begun_at = begun_at - make_interval(days => ${days}), ended_at = ended_at - make_interval(days => ${days})`;
const generations = async () =>
  (await sql`SELECT name FROM ledger_generations ORDER BY begun_at`).map(
    ({ name }: { name: string }) => name,
  );
const rows = async () => Number((await sql`SELECT count(*) AS n FROM ledger`)[0].n);

test("where all tables are published, an order that comes again is counted, be it of an ended generation", async () => {
  await sql`CREATE PUBLICATION everything FOR ALL TABLES`;
  const entry = entryOf("c1");
  await record([entry]);
  expect(await record([entry])).toEqual(["redelivered"]);
  await age(16);
  expect(await ledger.expire(30 * dayMs)).toHaveLength(1);
  expect(await record([entry])).toEqual(["redelivered"]);
  expect(await viewOf(ledger, entry.order.id)).toMatchObject({ status: "handled", deliveries: 3 });
});

test("an order of an ended generation is known, found, and not handled again", async () => {
  const entry = entryOf("c1");
  await record([entry]);
  await age(16);
  expect(await ledger.expire(30 * dayMs)).toHaveLength(1);
  expect(await generations()).toEqual([
    expect.stringMatching(/^ledger_until_\d{8}t\d{12}$/),
    "ledger_current",
  ]);

  expect(await record([entryOf("c2"), entry])).toEqual(["handled", "redelivered"]);
  expect(await record([{ ...entry, partition: 3 }], other)).toEqual(["duplicate"]);
  expect(await record([{ ...entry, digest: "another" }], other)).toEqual(["conflict"]);
  expect(await viewOf(ledger, entry.order.id)).toMatchObject({ status: "handled", deliveries: 3 });
  expect(await rows()).toBe(2);
  // What was made after a change is as what was made before: a consumer starts on it.
  await expect(ledger.open(effects)).resolves.toBeUndefined();
});

test("a generation is dropped when its youngest row is older than the retention, and letters with it; not before", async () => {
  const [first, second] = [entryOf("c1"), entryOf("c1")];
  await record([first]);
  await ledger.bury({ topic: "orders", partition: 0, offset: 1, orderId: null, reason: "", attempts: 1 });
  await age(16);
  await ledger.expire(30 * dayMs);
  await record([second]);
  await age(29);
  await ledger.expire(30 * dayMs);
  expect(await rows()).toBe(2);
  await age(2);
  await sql`UPDATE dead_letters SET dead_at = dead_at - interval '31 days'`;
  const done = await ledger.expire(30 * dayMs);
  expect(done).toEqual([
    "1 rows of dead letters were removed",
    expect.stringContaining("dropped: ledger_until_"),
  ]);
  expect([...(await ledger.find([first, second].map(({ order }) => order.id))).keys()]).toEqual([
    second.order.id,
  ]);
  expect(await generations()).toHaveLength(2);
  expect(await record([second])).toEqual(["redelivered"]);
});

test.each(["read committed", "repeatable read", "serializable"])(
  "one id is handled once while generations end under consumers that record the same orders, also where the default is %s",
  async (isolation) => {
    await sql.unsafe(`ALTER ROLE postgres SET default_transaction_isolation = '${isolation}'`);
    await Promise.all([ledger.close(), other.close()]);
    [ledger, other] = [newLedger(), newLedger()];
    const entries = Array.from({ length: 200 }, (_, n) => entryOf(`c${n % 7}`));
    const handled = new Map<string, number>();
    let ended = 0;
    let recording = true;
    const change = async () => {
      while (recording) {
        await undisturbed(() => age(16));
        // Old enough to end one, so young that none is dropped.
        await undisturbed(
          () => sql`UPDATE ledger_generations SET ended_at = now() WHERE ended_at IS NOT NULL`,
        );
        const expire = (by: Ledger) => by.expire(30 * dayMs).catch((): string[] => []);
        const done = await Promise.all([expire(ledger), expire(other)]);
        ended += done.flat().filter((what) => what.includes("ended")).length;
      }
    };
    const consume = async (by: Ledger, seed: number) => {
      for (let round = 0; round < 60 || ended < 4; round += 1) {
        const from = (round * 37 + seed * 11) % entries.length;
        const batch = entries.slice(from, from + 5);
        for (const [n, verdict] of (await undisturbed(() => record(batch, by))).entries()) {
          const id = (batch[n] as Entry).order.id;
          if (verdict === "handled") handled.set(id, (handled.get(id) ?? 0) + 1);
        }
      }
    };
    const changing = change();
    await Promise.all([1, 2, 3].flatMap((seed) => [consume(ledger, seed), consume(other, seed + 3)]));
    recording = false;
    await changing;
    expect([...handled.values()].filter((times) => times > 1)).toEqual([]);
    expect(await rows()).toBe(handled.size);
    expect(await sql`SELECT id FROM effects GROUP BY id HAVING count(*) > 1`).toHaveLength(0);
    await sql.unsafe("ALTER ROLE postgres RESET default_transaction_isolation");
  },
);

test("an order that comes once more is kept for as long as if it were new", async () => {
  const entry = entryOf("c1");
  await record([entry]);
  await age(16);
  await ledger.expire(30 * dayMs);
  await age(29);
  expect(await record([{ ...entry, offset: entry.offset + 1_000 }])).toEqual(["duplicate"]);
  await ledger.expire(30 * dayMs);
  await age(29);
  await ledger.expire(30 * dayMs);
  expect(await record([entry])).toEqual(["redelivered"]);
});

test("who may read the ledger may read all of it, before and after a change; nothing is put beside the generations", async () => {
  await sql.unsafe("CREATE ROLE reader; GRANT SELECT ON ledger, ledger_current TO reader");
  await record([entryOf("c1")]);
  await age(16);
  await ledger.expire(30 * dayMs);
  await record([entryOf("c1")]);
  const counted = async (table: string) =>
    sql.begin(async (tx) => {
      await tx.unsafe("SET LOCAL ROLE reader");
      return Number((await tx.unsafe(`SELECT count(*) AS n FROM ${table}`))[0].n);
    });
  expect([await counted("ledger"), await counted("ledger_current")]).toEqual([2, 1]);
  const stray = sql`INSERT INTO ledger SELECT * FROM ledger_current`;
  await expect(stray.execute()).rejects.toThrow("ledger_rows_are_in_generations");
  await sql.unsafe("DROP OWNED BY reader; DROP ROLE reader");
});

test("who may only select, insert and update records, and leaves tables and retention to their owner", async () => {
  await sql.unsafe(`CREATE ROLE runtime LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO runtime`);
  const runtime = createLedger(url.replace("postgres@", "runtime@"), {
    connections: 1,
    handlerTimeoutMs: 10_000,
  });
  try {
    await runtime.open(effects);
    const entry = entryOf("c1");
    expect(await record([entry], runtime)).toEqual(["handled"]);
    await age(61);
    expect(await runtime.expire(30 * dayMs)).toEqual([]);
    expect(await ledger.expire(30 * dayMs)).toHaveLength(1);
    expect(await record([entry, entryOf("c2")], runtime)).toEqual(["redelivered", "handled"]);
    await runtime.bury({ topic: "orders", partition: 0, offset: 1, orderId: null, reason: "x", attempts: 1 });
  } finally {
    await runtime.close();
    await sql.unsafe("DROP OWNED BY runtime; DROP ROLE runtime");
  }
});

test("of two generations that came once more at the same moment each is dropped, one at a time", async () => {
  for (const days of [16, 16]) {
    await age(days);
    await ledger.expire(30 * dayMs);
  }
  await sql`UPDATE ledger_generations SET ended_at = now() - interval '31 days' WHERE ended_at IS NOT NULL`;
  for (const left of [2, 1]) {
    await ledger.expire(30 * dayMs);
    expect(await generations()).toHaveLength(left);
    const [tables] =
      await sql`SELECT count(*)::int AS n FROM pg_inherits WHERE inhparent = 'ledger_past'::regclass`;
    expect(Number(tables.n)).toBe(left - 1);
  }
});

test("nothing is forgotten since the database's clock went ahead of the consumer's", async () => {
  const entry = entryOf("c1");
  await record([entry]);
  await age(16);
  await ledger.expire(30 * dayMs);
  await ledger.bury({ topic: "orders", partition: 0, offset: 1, orderId: null, reason: "", attempts: 1 });
  // As if both were of today, and the database 40 days ahead.
  await age(40);
  await sql`UPDATE dead_letters SET dead_at = dead_at - interval '40 days'`;
  setSystemTime(Date.now() - 40 * dayMs);
  try {
    expect(await ledger.expire(30 * dayMs)).toEqual([expect.stringContaining("ended")]);
    expect(await rows()).toBe(1);
  } finally {
    setSystemTime();
  }
  expect(await ledger.expire(30 * dayMs)).toHaveLength(2);
});

test("nothing is forgotten since the database's clock was behind the consumer's, and was put right", async () => {
  const [ended, again] = [entryOf("c1"), entryOf("c1")];
  await record([again]);
  await age(16);
  await ledger.expire(30 * dayMs);
  await record([ended]);
  await age(16);
  // The consumer's clock is right, the database's 40 days behind.
  setSystemTime(Date.now() + 40 * dayMs);
  try {
    expect(await ledger.expire(30 * dayMs)).toEqual([expect.stringContaining("ended")]);
    expect(await record([again])).toEqual(["redelivered"]);
  } finally {
    setSystemTime();
  }
  await age(40);
  for (const _ of [1, 2]) await ledger.expire(30 * dayMs);
  expect(await record([ended, again])).toEqual(["redelivered", "redelivered"]);
});

test("what depends on a generation keeps that one, and is told; the rest goes on", async () => {
  await ledger.bury({ topic: "orders", partition: 0, offset: 1, orderId: null, reason: "", attempts: 1 });
  await sql.unsafe("CREATE VIEW report AS SELECT id FROM ledger_current");
  await age(16);
  await ledger.expire(30 * dayMs);
  await age(31);
  await sql`UPDATE dead_letters SET dead_at = dead_at - interval '31 days'`;
  await expect(ledger.expire(30 * dayMs)).rejects.toThrow(/1 rows of dead letters were removed; .*depend/);
  await sql`DROP VIEW report`;
  expect(await ledger.expire(30 * dayMs)).toEqual([expect.stringContaining("dropped")]);
});

test("a foreign key to the current generation keeps that one, and is told: it would refuse all orders of the next", async () => {
  await sql.unsafe("CREATE TABLE sold (id uuid REFERENCES ledger_current (id))");
  const sell = (entry: Entry) =>
    ledger.record([entry], async ({ order }, tx) => {
      await tx`INSERT INTO sold VALUES (${order.id})`;
    });
  expect(await sell(entryOf("c1"))).toEqual(["handled"]);
  await age(16);
  await expect(ledger.expire(30 * dayMs)).rejects.toThrow("drop the foreign key of sold to ledger_current");
  expect(await sell(entryOf("c1"))).toEqual(["handled"]);
  await sql`ALTER TABLE sold DROP CONSTRAINT sold_id_fkey`;
  expect(await ledger.expire(30 * dayMs)).toHaveLength(1);
});

test("a generation that somebody dropped by hand keeps none of the others", async () => {
  for (const days of [16, 16]) {
    await age(days);
    await ledger.expire(30 * dayMs);
  }
  const [oldest = ""] = await generations();
  await sql.unsafe(`DROP TABLE ${oldest}`);
  await age(31);
  const done = [await ledger.expire(30 * dayMs), await ledger.expire(30 * dayMs)].flat();
  expect(done.filter((what) => what.includes("was dropped"))).toHaveLength(2);
});

test("a generation does not end under a transaction, and whoever records behind it waits for a moment only", async () => {
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const slow = ledger.record([entryOf("c1")], async () => {
    begin();
    await held;
  });
  await begun;
  await age(16);
  // Heard at once: on a busy machine it may fail before what is recorded behind it is.
  const expiring = expect(other.expire(30 * dayMs)).rejects.toThrow("lock timeout");
  // Behind the one that waits for the lock.
  expect(await record([entryOf("c2")], other)).toEqual(["handled"]);
  await expiring;
  release();
  expect(await slow).toEqual(["handled"]);
  expect(await other.expire(30 * dayMs)).toHaveLength(1);
  expect(await rows()).toBe(2);
});

test("a ledger of the version before is the first generation", async () => {
  const entry = entryOf("c1");
  await record([entry]);
  // As it was before the step.
  await sql.unsafe(`
    ALTER TABLE ledger_current NO INHERIT ledger; DROP TABLE ledger_past; DROP TABLE ledger;
    DROP TABLE ledger_generations; ALTER TABLE ledger_current RENAME TO ledger;
    DELETE FROM schema_migrations WHERE owner = 'ledger' AND version > 3`);
  await ledger.open(effects);
  expect(await record([entry])).toEqual(["redelivered"]);
  expect(await generations()).toEqual(["ledger_current"]);
});
