/** How a ledger comes by its tables: steps once each, and a refusal where the database is not what they say. */
import { Database } from "bun:sqlite";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SQL } from "bun";
import { until } from "../../kit/until.ts";
import { entryOf } from "../../testing/entries.ts";
import { type PostgresServer, startPostgres } from "../../testing/postgres.ts";
import { type Ledger, LedgerUnavailableError } from "./ledger.ts";
import { SchemaError } from "./migrations.ts";
import { createLedger } from "./open.ts";

let server: PostgresServer;
let directory: string;
let databases = 0;
beforeAll(() => {
  server = startPostgres();
  directory = mkdtempSync(join(tmpdir(), "coffee-orders-migrations-"));
}, 120_000);
afterAll(() => {
  server[Symbol.dispose]();
  rmSync(directory, { recursive: true });
});

const newPostgres = () => server.newDatabase();

async function newSqlite(): Promise<string> {
  databases += 1;
  return `sqlite:${join(directory, `${databases}.sqlite`)}`;
}

/** Runs statements by hand. @returns the last one's rows */
async function byHand(url: string, ...statements: string[]): Promise<Record<string, unknown>[]> {
  if (url.startsWith("sqlite:")) {
    using database = new Database(url.slice("sqlite:".length));
    return statements.map((text) => database.query(text).all() as Record<string, unknown>[]).at(-1) ?? [];
  }
  await using sql = new SQL({ url, max: 1 });
  let rows = [];
  for (const text of statements) rows = await sql.unsafe(text);
  return rows;
}

const effects = "CREATE TABLE IF NOT EXISTS effects (id TEXT NOT NULL, n INTEGER)";
/** Tables as they were made before there were steps. */
const formerTables = {
  sqlite: [
    `CREATE TABLE ledger (
      id TEXT PRIMARY KEY, customer TEXT NOT NULL, digest TEXT NOT NULL, "partition" INTEGER NOT NULL,
      "offset" INTEGER NOT NULL, placed_at TEXT NOT NULL, handled_at TEXT NOT NULL,
      deliveries INTEGER NOT NULL DEFAULT 1) WITHOUT ROWID`,
    `CREATE TABLE dead_letters (
      topic TEXT NOT NULL, "partition" INTEGER NOT NULL, "offset" INTEGER NOT NULL, order_id TEXT,
      reason TEXT NOT NULL, attempts INTEGER NOT NULL, dead_at TEXT NOT NULL,
      PRIMARY KEY (topic, "partition", "offset")) WITHOUT ROWID`,
  ],
  postgres: [
    `CREATE TABLE ledger (
      id uuid PRIMARY KEY, customer text NOT NULL, digest text NOT NULL, "partition" integer NOT NULL,
      "offset" bigint NOT NULL, placed_at timestamptz NOT NULL, handled_at timestamptz NOT NULL DEFAULT now(),
      deliveries integer NOT NULL DEFAULT 1)`,
    `CREATE TABLE dead_letters (
      topic text NOT NULL, "partition" integer NOT NULL, "offset" bigint NOT NULL, order_id text,
      reason text NOT NULL, attempts integer NOT NULL, dead_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (topic, "partition", "offset"))`,
  ],
};

describe.each([["sqlite", newSqlite] as const, ["postgres", newPostgres] as const])(
  "%s",
  (kind, newDatabase) => {
    let url: string;
    let ledgers: Ledger[];
    beforeEach(async () => {
      url = await newDatabase();
      ledgers = [];
    });
    afterEach(async () => {
      await Promise.all(ledgers.map((ledger) => ledger.close()));
    });
    const openWith = async (steps: readonly string[]): Promise<Ledger> => {
      const ledger = createLedger(url, { connections: 1, handlerTimeoutMs: 10_000 });
      ledgers.push(ledger);
      await ledger.open(steps);
      return ledger;
    };
    const refusal = async (steps: readonly string[]): Promise<string> => {
      const error = await openWith(steps).catch((thrown) => thrown);
      expect(error).toBeInstanceOf(SchemaError);
      return error.message;
    };

    test("three that start at once apply each step once, and a later version only what is new", async () => {
      const first = ["CREATE TABLE effects (id TEXT NOT NULL); CREATE TABLE others (id TEXT NOT NULL)"];
      await Promise.all([openWith(first), openWith(first), openWith(first)]);
      const second = [
        ...first,
        "ALTER TABLE effects ADD COLUMN n INTEGER; INSERT INTO others VALUES ('once')",
      ];
      await Promise.all([openWith(second), openWith(second)]);
      await byHand(url, "INSERT INTO effects (id, n) VALUES ('a', 1)");
      expect(await byHand(url, "SELECT id FROM others")).toEqual([{ id: "once" }]);
      const applied = await byHand(
        url,
        "SELECT version FROM schema_migrations WHERE owner = 'effect' ORDER BY version",
      );
      expect(applied).toEqual([{ version: 1 }, { version: 2 }]);
    });

    test("a step that was changed after it was applied is refused; one that is laid out anew is not", async () => {
      await openWith([effects]);
      await openWith([effects.replaceAll(", ", ",\n    ")]);
      expect(await refusal([effects.replace("n INTEGER", "n TEXT")])).toContain(
        "step 1 of the effect's tables was changed",
      );
    });

    test("a database that is ahead of this version is refused", async () => {
      await openWith([effects, "ALTER TABLE effects ADD COLUMN note TEXT"]);
      expect(await refusal([effects])).toContain(
        "does not know step 2 of the effect's tables: start a newer one",
      );
    });

    test("a table of another program's that has the name of the steps' own is told, with what to do", async () => {
      await byHand(url, "CREATE TABLE schema_migrations (version TEXT PRIMARY KEY)");
      expect(await refusal([effects])).toMatch(/schema_migrations.*digest.*database or a schema of its own/);
    });

    test("a version without any step of its own cares for none that was applied", async () => {
      await openWith([effects]);
      await openWith([]);
    });

    test.each([
      ["lacks a column", "id TEXT NOT NULL", /effects\.n is missing, not integer/i],
      ["has another type", "id TEXT NOT NULL, n TEXT", /effects\.n is text, not integer/i],
      [
        "must have what may be missing",
        "id TEXT NOT NULL, n INTEGER NOT NULL",
        /effects\.n is integer not null, not integer/i,
      ],
      [
        "must have what no row will",
        "id TEXT NOT NULL, n INTEGER, more TEXT NOT NULL",
        /effects\.more is unknown/,
      ],
    ])(
      "a table that %s is refused, nothing is changed, and it is adopted once it fits",
      async (_, columns, fault) => {
        await byHand(url, `CREATE TABLE effects (${columns})`);
        expect(await refusal([effects])).toMatch(fault);
        await expect(byHand(url, "SELECT * FROM schema_migrations")).rejects.toThrow(/schema_migrations/);
        await byHand(
          url,
          "DROP TABLE effects",
          "CREATE TABLE effects (id TEXT NOT NULL, n INTEGER, also TEXT)",
        );
        await openWith([effects]);
      },
    );

    test("a step may bring an older table to where it should be", async () => {
      await byHand(url, "CREATE TABLE effects (id TEXT NOT NULL)");
      const former = "CREATE TABLE IF NOT EXISTS effects (id TEXT NOT NULL)";
      await openWith([former, "ALTER TABLE effects ADD COLUMN n INTEGER"]);
      expect(await byHand(url, "SELECT n FROM effects")).toEqual([]);
    });

    test("a step that fails is told by its number, and none is noted", async () => {
      await byHand(url, "CREATE TABLE effects (id TEXT NOT NULL)");
      const message = await refusal([effects, "CREATE INDEX effects_n ON effects (n)"]);
      expect(message).toMatch(/step 2 of the effect's tables failed: .*\bn\b/);
      await expect(byHand(url, "SELECT * FROM schema_migrations")).rejects.toThrow(/schema_migrations/);
    });

    test("the tables of before there were steps are adopted with all their rows", async () => {
      const entry = entryOf("c1");
      const { id, placedAt } = entry.order;
      await byHand(
        url,
        ...formerTables[kind],
        `INSERT INTO ledger VALUES ('${id}', 'c1', '${entry.digest}', ${entry.partition}, ${entry.offset},
        '${placedAt}', '${placedAt}', 1)`,
      );
      const ledger = await openWith([effects]);
      expect(await ledger.record([entry], async () => {})).toEqual(["redelivered"]);
    });
  },
);

test("PostgreSQL that fails in the middle of a step is waited for, the step is not to blame", async () => {
  const url = await newPostgres();
  const ledger = createLedger(url, { connections: 1, handlerTimeoutMs: 10_000 });
  const opening = ledger.open([effects, "SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(600)"]);
  await expect(opening).rejects.toThrow(LedgerUnavailableError);
  await ledger.close();
});

test("those that start at once do so whatever the database's own isolation is", async () => {
  const url = await newPostgres();
  await byHand(
    url,
    `ALTER DATABASE ${new URL(url).pathname.slice(1)} SET default_transaction_isolation = 'serializable'`,
  );
  const ledgers = [1, 2].map(() => createLedger(url, { connections: 1, handlerTimeoutMs: 10_000 }));
  await using sql = new SQL({ url, max: 1 });
  let opening: Promise<unknown> = Promise.resolve();
  await sql.begin(async (keeper) => {
    await keeper`SELECT pg_advisory_xact_lock(727001)`;
    opening = Promise.all(ledgers.map((ledger) => ledger.open([effects])));
    opening.catch(() => undefined);
    await until("both wait for the lock", async () => {
      const waiting = "SELECT pid FROM pg_locks WHERE objid = 727001 AND NOT granted";
      return (await byHand(url, waiting)).length === 2;
    });
  });
  await opening;
  await Promise.all(ledgers.map((ledger) => ledger.close()));
});

test("a step that names a schema is refused, and told by its words", async () => {
  const url = await newPostgres();
  const ledger = createLedger(url, { connections: 1, handlerTimeoutMs: 10_000 });
  const steps = [effects, "CREATE TABLE public.others (id TEXT)"];
  const error = await ledger.open(steps).catch((error) => error);
  expect(error).toBeInstanceOf(SchemaError);
  expect(error.message).toMatch(/"others" already exists.*no schema in: CREATE TABLE public/);
  await ledger.open([effects]);
  await ledger.close();
});

test("functions, types and views in steps, and a role that may make no schemas", async () => {
  const url = await newPostgres();
  await byHand(url, "CREATE ROLE clerk LOGIN", "GRANT CREATE ON SCHEMA public TO clerk");
  const typed = "CREATE TYPE milk AS ENUM ('oat'); CREATE TABLE effects (id TEXT, milk milk)";
  const clerk = createLedger(url.replace("postgres@", "clerk@"), {
    connections: 1,
    handlerTimeoutMs: 10_000,
  });
  await clerk.open([typed]);
  await clerk.close();
  const owner = createLedger(url, { connections: 1, handlerTimeoutMs: 10_000 });
  await owner.open([
    typed,
    `CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NOTIFY effects; RETURN NULL; END $$;
     CREATE TRIGGER told AFTER INSERT ON effects EXECUTE FUNCTION tell();
     CREATE MATERIALIZED VIEW milks AS SELECT DISTINCT milk FROM effects`,
  ]);
  await owner.close();
});

test("a PostgreSQL that answers a commit before it is on disk is warned of, any other is not", async () => {
  const url = await newPostgres();
  const warnings: string[] = [];
  const listen = ({ message }: Error) => warnings.push(message);
  process.on("warning", listen);
  const open = async () => {
    const ledger = createLedger(url, { connections: 1, handlerTimeoutMs: 10_000 });
    await ledger.open([effects]);
    await ledger.close();
    await new Promise(setImmediate);
  };
  await open();
  expect(warnings).toEqual([]);
  await byHand(url, `ALTER DATABASE ${new URL(url).pathname.slice(1)} SET synchronous_commit = off`);
  await open();
  expect(warnings.splice(0)).toEqual([expect.stringContaining("synchronous_commit is off")]);
  const setFsync = async (to: string) => {
    await byHand(url, `ALTER SYSTEM SET fsync = ${to}`, "SELECT pg_reload_conf()");
    await until(`fsync is ${to}`, async () => (await byHand(url, "SHOW fsync"))[0]?.fsync === to);
  };
  await setFsync("off");
  await open();
  await setFsync("on");
  process.off("warning", listen);
  expect(warnings.toSorted()).toEqual(
    ["fsync", "synchronous_commit"].map((name) => expect.stringContaining(`${name} is off`)),
  );
});

test.each([
  ["LATIN1", /LATIN1 does not take every character: make one in UTF8/],
  ["EUC_JP", /EUC_JP does not take every character: make one in UTF8/],
  ["SQL_ASCII", undefined],
  ["UTF8", undefined],
])("a PostgreSQL in %s is refused if it would have good orders fail", async (encoding, refusal) => {
  const name = `in_${encoding.toLowerCase()}`;
  const c = "LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0";
  await byHand(server.url, `CREATE DATABASE ${name} ENCODING '${encoding}' ${c}`);
  const url = server.url.replace(/[^/]*$/, name);
  const ledger = createLedger(url, { connections: 1, handlerTimeoutMs: 10_000 });
  const opened = await ledger.open([effects]).catch((error) => error);
  if (refusal) {
    expect(opened).toBeInstanceOf(SchemaError);
    expect(opened.message).toMatch(refusal);
    expect(await byHand(url, "SELECT 1 FROM pg_tables WHERE schemaname = 'public'")).toBeEmpty();
  } else {
    const order = entryOf("Zoë ☕ 日本 \u{1F600}");
    expect(await ledger.record([order], async () => {})).toEqual(["handled"]);
    expect((await byHand(url, "SELECT customer FROM ledger"))[0]?.customer).toBe("Zoë ☕ 日本 \u{1F600}");
  }
  await ledger.close();
});
