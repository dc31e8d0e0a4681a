/** What every ledger must do, held against SQLite and a real PostgreSQL server. */
import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../kit/until.ts";
import { entryOf, viewOf } from "../../testing/entries.ts";
import { type PostgresServer, startPostgres } from "../../testing/postgres.ts";
import { partyOf } from "../order.ts";
import { BatchError, type Entry, type Ledger, LedgerUnavailableError, type Tx } from "./ledger.ts";
import { createLedger } from "./open.ts";

let server: PostgresServer;
let directory: string;
beforeAll(() => {
  server = startPostgres();
  directory = mkdtempSync(join(tmpdir(), "coffee-orders-ledger-"));
}, 120_000);
afterAll(() => {
  server[Symbol.dispose]();
  rmSync(directory, { recursive: true });
});

const effectSchema = [
  "CREATE TABLE IF NOT EXISTS effects (id TEXT NOT NULL, note TEXT)",
  "CREATE TABLE IF NOT EXISTS strict (id TEXT NOT NULL)",
];
const write = async (entry: Entry, tx: Tx) => {
  await tx`INSERT INTO effects (id, note) VALUES (${entry.order.id}, ${null})`;
};
const effectsOf = async (ledger: Ledger, id: string): Promise<number> => {
  let found = -1;
  await ledger.record([entryOf("reader")], async (_, tx) => {
    const [row] = await tx<{ n: number | string }>`SELECT count(*) AS n FROM effects WHERE id = ${id}`;
    found = Number(row?.n);
  });
  return found;
};

const emptyFile = async (): Promise<string> => {
  const path = join(directory, "empty.sqlite");
  new Database(path, { create: true }).run("CREATE TABLE another (id TEXT)");
  return `sqlite:${path}`;
};

const failureOf = async (recording: Promise<unknown>): Promise<BatchError> => {
  const error: unknown = await recording.catch((error) => error);
  expect(error).toBeInstanceOf(BatchError);
  return error as BatchError;
};

describe.each([
  ["sqlite", () => `sqlite:${join(directory, "ledger.sqlite")}`, () => emptyFile()],
  ["postgres", () => server.url, () => server.newDatabase()],
])("%s", (_, url, emptyUrl) => {
  let ledger: Ledger;
  let other: Ledger;
  beforeAll(async () => {
    ledger = createLedger(url(), { connections: 4, handlerTimeoutMs: 10_000 });
    other = createLedger(url(), { connections: 4, handlerTimeoutMs: 10_000 });
    await Promise.all([ledger.open(effectSchema), other.open(effectSchema)]);
  });
  afterAll(async () => {
    await ledger.close();
    await other.close();
  });

  test("a new order is handled: row and effect are there together", async () => {
    const entry = entryOf("c1");
    expect(await viewOf(ledger, entry.order.id)).toBeUndefined();
    expect(await ledger.record([entry], write)).toEqual(["handled"]);
    expect(await viewOf(ledger, entry.order.id)).toMatchObject({
      id: entry.order.id,
      status: "handled",
      deliveries: 1,
      partition: entry.partition,
      offset: entry.offset,
    });
    expect(await effectsOf(other, entry.order.id)).toBe(1);
  });

  test("the effect happens once: redelivered, duplicate and conflicting records apply nothing", async () => {
    const entry = entryOf("c1");
    await ledger.record([entry], write);
    expect(await other.record([entry], write)).toEqual(["redelivered"]);
    expect(await other.record([{ ...entry, partition: 7 }], write)).toEqual(["duplicate"]);
    expect(await other.record([{ ...entry, digest: "another order" }], write)).toEqual(["conflict"]);
    expect(await effectsOf(ledger, entry.order.id)).toBe(1);
    expect(await viewOf(ledger, entry.order.id)).toMatchObject({ deliveries: 3, offset: entry.offset });
  });

  test("one id several times in one batch is applied once", async () => {
    const entry = entryOf("c1");
    const batch = [entryOf("c2"), entry, { ...entry, offset: entry.offset + 1_000 }, entry];
    expect(await ledger.record(batch, write)).toEqual(["handled", "handled", "duplicate", "redelivered"]);
    expect(await effectsOf(ledger, entry.order.id)).toBe(1);
  });

  test("a failing effect leaves nothing of itself, all others of its batch are recorded, and the next try succeeds", async () => {
    const [good, bad] = [entryOf("c1"), entryOf("c2")];
    const failing = ledger.record([good, bad], async (entry, tx) => {
      await write(entry, tx);
      if (entry === bad) throw new Error("the milk is sour");
    });
    expect(await failing).toEqual([
      "handled",
      { place: "handler", error: expect.objectContaining({ message: "the milk is sour" }) },
    ]);
    expect(await viewOf(ledger, bad.order.id)).toBeUndefined();
    expect(await effectsOf(ledger, bad.order.id)).toBe(0);
    expect(await ledger.record([good, bad], write)).toEqual(["redelivered", "handled"]);
    for (const { order } of [good, bad]) expect(await effectsOf(ledger, order.id)).toBe(1);
  });

  test("one that goes alone and fails leaves nothing", async () => {
    const bad = entryOf("c1");
    const failing = ledger.record([bad], async (entry, tx) => {
      await write(entry, tx);
      throw new Error("the milk is sour");
    });
    expect([...(await failureOf(failing)).failures.keys()]).toEqual([bad]);
    expect(await viewOf(ledger, bad.order.id)).toBeUndefined();
    expect(await effectsOf(ledger, bad.order.id)).toBe(0);
  });

  test("all that fail by themselves are named, whatever they throw, and nobody else", async () => {
    const entries = Array.from({ length: 20 }, (_, index) => entryOf(`c${index}`));
    const thrown = new Map<Entry, unknown>([
      [entries[3] as Entry, undefined],
      [entries[9] as Entry, Object.create(null)],
      [entries[17] as Entry, "text"],
    ]);
    const recorded = await ledger.record(entries, async (entry, tx) => {
      await write(entry, tx);
      if (thrown.has(entry)) throw thrown.get(entry);
    });
    const expected = entries.map((entry) =>
      thrown.has(entry) ? { place: "handler" as const, error: thrown.get(entry) } : "handled",
    );
    expect(recorded).toEqual(expected);
    for (const entry of entries)
      expect(await effectsOf(other, entry.order.id)).toBe(Number(!thrown.has(entry)));
  });

  test("who failed is left out with who comes after it, wherever in its batch; all others are recorded", async () => {
    const entries = Array.from({ length: 60 }, (_, index) => entryOf(`c${index}`));
    const bad = new Set(entries.filter((_, index) => index % 7 === 3));
    const [first = entryOf("none")] = bad;
    const before = entryOf(partyOf(first.order));
    const after = [entryOf(partyOf(first.order)), { ...first, offset: first.offset + 1_000 }];
    const recorded = await ledger.record([before, ...entries, ...after], async (entry, tx) => {
      if (entry === first) await tx`INSERT INTO nowhere VALUES (1)`;
      const isAtOnce = entries.indexOf(entry) % 2 > 0;
      const id = (isBad: boolean) => (isBad && bad.has(entry) ? null : entry.order.id);
      await tx`INSERT INTO effects (id, note) VALUES (${id(isAtOnce)}, ${"one"})`;
      await tx`INSERT INTO effects (id, note) VALUES (${id(!isAtOnce)}, ${"two"})`;
    });
    const failure = { place: "statement" as const, error: expect.any(Error) };
    const all = entries.map((entry) => (bad.has(entry) ? failure : "handled"));
    expect(recorded).toEqual(["handled", ...all, undefined, undefined]);
    const views = await other.find(entries.map(({ order }) => order.id));
    for (const entry of entries) {
      expect(views.has(entry.order.id)).toBe(!bad.has(entry));
      expect(await effectsOf(other, entry.order.id)).toBe(bad.has(entry) ? 0 : 2);
    }
    expect(await ledger.record([first, ...after], write)).toEqual(["handled", "handled", "duplicate"]);
  });

  test("one that runs no statement, since it was refused, undoes nothing of those before it", async () => {
    const sour = async (entry: Entry, tx: Tx) => {
      await write(entry, tx);
      throw new Error("sour");
    };
    // From then on each is a group of its own.
    for (const _ of [1, 2, 3]) await ledger.record([entryOf("a"), entryOf("b")], sour);
    const [good, bad, after] = ["a", "b", "c"].map((customer) => entryOf(customer)) as [Entry, Entry, Entry];
    const recorded = await ledger.record([good, bad, after], async (entry, tx) => {
      if (entry === bad) await tx`COMMIT`.catch(() => undefined);
      else await write(entry, tx);
    });
    expect(recorded).toEqual(["handled", { place: "statement", error: expect.any(Error) }, "handled"]);
    for (const { order } of [good, after]) expect(await effectsOf(other, order.id)).toBe(1);
  });

  const makeGroupsSmall = async () => {
    const sour = () => Promise.reject(new Error("sour"));
    for (const _ of [1, 2, 3, 4])
      await ledger.record([entryOf("a"), entryOf("b")], (entry, tx) => write(entry, tx).then(sour));
  };

  test("no group begins when half of the time is over that handlers have, or those in it would be late for the others", async () => {
    await makeGroupsSmall();
    const entries = Array.from({ length: 30 }, (_, index) => entryOf(`c${index}`));
    const work = async (entry: Entry, tx: Tx) => {
      for (const untilMs = performance.now() + 12; performance.now() < untilMs; );
      await write(entry, tx);
    };
    const recorded = await ledger.record(entries, work, 100);
    const handled = recorded.filter((end) => end === "handled").length;
    expect(handled).toBeWithin(1, 20);
    expect(recorded.slice(handled)).toEqual(Array.from(recorded.slice(handled), () => undefined));
  });

  test("where handlers wait for something else, few groups follow one another, whatever failed before", async () => {
    await makeGroupsSmall();
    const entries = Array.from({ length: 40 }, (_, index) => entryOf(`c${index}`));
    let [atOnce, mostAtOnce] = [0, 0];
    const recorded = await ledger.record(entries, async (entry, tx) => {
      mostAtOnce = Math.max(mostAtOnce, ++atOnce);
      await Bun.sleep(30);
      await write(entry, tx);
      atOnce -= 1;
    });
    expect(new Set(recorded)).toEqual(new Set(["handled"]));
    expect(mostAtOnce).toBeGreaterThan(8);
  });

  test("what a statement that failed did nevertheless is undone too", async () => {
    // On SQLite it keeps what it did until then; PostgreSQL does not know the word.
    const [good, bad] = [entryOf("c1"), entryOf("c2")];
    const failing = ledger.record([good, bad], async (entry, tx) => {
      if (entry === good) await write(entry, tx);
      else
        await tx`INSERT OR FAIL INTO strict SELECT value FROM json_each(${JSON.stringify([bad.order.id, null])})`;
    });
    expect(await failing).toEqual(["handled", { place: "statement", error: expect.any(Error) }]);
    await ledger.record([entryOf("reader")], async (_, tx) => {
      expect(await tx`SELECT id FROM strict`).toHaveLength(0);
    });
  });

  test("who throws while a statement of its own waits behind others' is found, and no batch is undone for it", async () => {
    const entries = Array.from({ length: 20 }, (_, index) => entryOf(`c${index}`));
    const bad = entries[13];
    const recorded = await ledger.record(entries, async (entry, tx) => {
      const written = write(entry, tx);
      if (entry === bad) throw new Error("sour");
      await written;
    });
    const failure = { place: "handler" as const, error: expect.any(Error) };
    expect(recorded).toEqual(entries.map((entry) => (entry === bad ? failure : "handled")));
    for (const entry of entries) expect(await effectsOf(other, entry.order.id)).toBe(Number(entry !== bad));
  });

  test("a statement that failed is its order's failure, also when the handler swallows it or does not wait for it", async () => {
    for (const wait of [true, false]) {
      const [good, bad] = [entryOf("c1"), entryOf("c2")];
      const failing = ledger.record([good, bad], async (entry, tx) => {
        if (entry === bad) {
          const refused = tx`INSERT INTO nowhere VALUES (1)`;
          if (wait) await refused.catch(() => undefined);
        }
        await write(entry, tx).catch(() => undefined);
      });
      expect(await failing).toEqual(["handled", { place: "statement", error: expect.any(Error) }]);
      expect(await effectsOf(ledger, bad.order.id)).toBe(0);
    }
  });

  test("what a handler goes on with after a statement that it does not wait for is part of its effect, or of its failure", async () => {
    const [good, bad, worse] = [entryOf("good"), entryOf("bad"), entryOf("worse")];
    const recorded = await ledger.record([good, bad, worse], async (entry, tx) => {
      const refused = async () => {
        if (entry === worse) await tx`SAVEPOINT mine`;
      };
      const leftBehind = async () => {
        for (let n = 0; n < 5; n += 1) await write(entry, tx);
        if (entry === bad) await tx`INSERT INTO nowhere VALUES (1)`;
        await refused();
      };
      void leftBehind().catch(() => undefined);
    });
    const failure = { place: "statement" as const, error: expect.any(Error) };
    expect(recorded).toEqual(["handled", failure, failure]);
    expect(await effectsOf(other, good.order.id)).toBe(5);
    for (const { order } of [bad, worse]) expect(await effectsOf(other, order.id)).toBe(0);
  });

  test("a customer's next order comes after what the one before did not wait for", async () => {
    const [first, second] = [entryOf("c1"), entryOf("c1")];
    let seen = 0;
    // One that has met no failure applies both in one group.
    const fresh = createLedger(url(), { connections: 1, handlerTimeoutMs: 10_000 });
    await fresh.open(effectSchema);
    await fresh.record([first, second], async (entry, tx) => {
      const leftBehind = async () => {
        for (let n = 0; n < 3; n += 1) await write(entry, tx);
      };
      if (entry === first) void leftBehind();
      else seen = (await tx`SELECT id FROM effects WHERE id = ${first.order.id}`).length;
    });
    expect(seen).toBe(3);
    await fresh.close();
  });

  test("a handler that goes on for ever with what it does not wait for holds up nobody for longer than its time", async () => {
    const [good, bad] = [entryOf("good"), entryOf("bad")];
    const goOn = async (entry: Entry, tx: Tx) => {
      for (let n = 0; n < 200_000; n += 1) await write(entry, tx);
    };
    const work = async (entry: Entry, tx: Tx) => {
      if (entry === good) await Bun.sleep(5).then(() => write(entry, tx));
      else void goOn(entry, tx).catch(() => undefined);
    };
    const recorded = await ledger.record([good, bad], work, 300);
    // Late, as whoever takes too long in a batch: no attempt is counted for that.
    const late = expect.objectContaining({ name: "TimeoutError" });
    expect(recorded[1]).toEqual({ place: "statement", error: late });
    expect(await ledger.record([good, bad], write)).toContain("handled");
  });

  test("a handler that tries again and again what fails lets everything else go on", async () => {
    const [good, bad] = [entryOf("good"), entryOf("bad")];
    let goesOn = false;
    const recorded = await ledger.record([good, bad], async (entry, tx) => {
      if (entry === good) return write(entry, tx);
      const tryIt = () => tx`INSERT INTO nowhere VALUES (1)`.catch(() => undefined);
      await tryIt();
      setTimeout(() => {
        goesOn = true;
      });
      for (let tries = 0; tries < 200_000 && !goesOn; tries += 1) await tryIt();
    });
    expect(goesOn).toBe(true);
    expect(recorded).toEqual(["handled", { place: "statement", error: expect.any(Error) }]);
  });

  test("the reason is that of the statement that failed, not of one behind it that failed for that", async () => {
    const bad = entryOf("c1");
    const failing = ledger.record([bad], async (entry, tx) => {
      void tx`INSERT INTO nowhere VALUES (1)`.catch(() => undefined);
      await write(entry, tx);
    });
    const { failures } = await failureOf(failing);
    expect(String(failures.get(bad)?.error)).toContain("nowhere");
  });

  test("a handler that would end the transaction, undo others' statements or change the connection is refused", async () => {
    const statements = [
      "COMMIT",
      "SET LOCAL statement_timeout = 0",
      "SET LOCAL ROLE another",
      "SET LOCAL SESSION AUTHORIZATION another",
      "SELECT set_config('role', 'another', true)",
      "SELECT set_config('search_path', 'elsewhere', false)",
      "SELECT pg_advisory_lock(1)",
      "DEALLOCATE ALL",
      "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
      "CREATE TEMP TABLE scratch (id text)",
      "rollback",
      "/* of /* all */ of it */ COMMIT",
      "-- all\r\nCOMMIT",
      "LISTEN anything",
      "PRAGMA query_only = ON",
      "ATTACH DATABASE ':memory:' AS another",
      "CREATE TABLE temp.ledger (id text)",
      "CREATE TABLE IF NOT EXISTS pg_temp.ledger_current (id text)",
      "SELECT 1 AS id INTO TEMP ledger_current",
      "; -- all\n/* of it */ END",
      "SAVEPOINT a",
      "SET search_path = nowhere",
    ];
    for (const statement of statements) {
      const [good, bad] = [entryOf("c1"), entryOf("c2")];
      const failing = ledger.record([good, bad], async (entry, tx) => {
        await write(entry, tx);
        const strings = Object.defineProperty([statement] as never, "raw", { value: [statement] });
        if (entry === bad) await tx(strings).catch(() => undefined);
      });
      expect(await failing).toEqual(["handled", { place: "statement", error: expect.any(Error) }]);
      expect([...(await ledger.find([good, bad].map(({ order }) => order.id))).keys()]).toEqual([
        good.order.id,
      ]);
    }
  });

  test.each([
    "INSERT OR IGNORE INTO temp VALUES (1)",
    "INSERT /* it */ INTO temp VALUES (1)",
    "UPDATE m SET note = 'taken into temporary storage'",
    "SELECT 'CREATE ' || temp.name FROM temp",
    "CREATE TABLE copies AS SELECT temp.name FROM temp",
    "WITH hold AS (SELECT 1) SELECT * FROM hold",
    "SELECT 'customer with hold', '; COMMIT'",
    "PRAGMA table_info(ledger)",
    "SET LOCAL work_mem = 64",
    "SELECT 'SET LOCAL ROLE another'",
    "SELECT current_setting('statement_timeout')",
    "/* see /* above */ */ SELECT 1 /* x */",
    `${"/* a /* b */ ".repeat(30)}SELECT 1`,
  ])(
    "one that only looks like it is not refused, whatever the database makes of it: %s",
    async (statement) => {
      const said = ledger.record([entryOf("c1")], async (_, tx) => {
        await tx(Object.defineProperty([statement] as never, "raw", { value: [statement] }));
      });
      const error = await said.then(
        () => undefined,
        (error: BatchError) => error.failures.values().next().value?.error,
      );
      expect(String(error)).not.toContain("is not for handlers");
    },
  );

  test("whole numbers are numbers", async () => {
    const rows: unknown[] = [];
    await ledger.record([entryOf("c1")], async (_, tx) => {
      rows.push(
        ...(await tx`SELECT count(*) AS n, max(at) AS at FROM (SELECT ${5_000_000_000} + 0 AS at) AS times`),
      );
    });
    expect(rows.map((row) => ({ ...(row as object) }))).toEqual([{ n: 1, at: 5_000_000_000 }]);
  });

  test("an order is not known as handled before its effect is committed", async () => {
    const entry = entryOf("c1");
    await ledger.record([entry], async () => {
      expect(await viewOf(ledger, entry.order.id)).toBeUndefined();
      expect(await viewOf(other, entry.order.id)).toBeUndefined();
    });
    expect(await viewOf(ledger, entry.order.id)).toMatchObject({ status: "handled" });
  });

  test("what breaks inside an effect is thrown as it is: it may be any other server's", async () => {
    const socket = { data: (connection: { terminate(): void }) => connection.terminate() };
    using hangsUp = Bun.listen({ hostname: "127.0.0.1", port: 0, socket });
    using elsewhere = new Database(":memory:");
    const causes = [
      () => fetch(`http://127.0.0.1:${hangsUp.port}`),
      async () => {
        elsewhere.run("PRAGMA query_only = ON");
        elsewhere.run("CREATE TABLE effects (n)");
      },
    ];
    for (const cause of causes) {
      let thrown: unknown;
      const entry = entryOf("c1");
      const failing = ledger.record([entry], async () => {
        await cause().catch((error) => {
          thrown = error;
          throw error;
        });
      });
      expect((await failureOf(failing)).failures.get(entry)?.error).toBe(thrown);
      expect(thrown).toBeInstanceOf(Error);
    }
  });

  test("one customer's orders are applied in order, different customers' side by side", async () => {
    const entries = ["a", "b", "a", "b", "a"].map((customer) => entryOf(customer));
    const seen: Entry[] = [];
    let atOnce = 0;
    let mostAtOnce = 0;
    // One that has seen no failure so far, and so has no small groups.
    const fresh = createLedger(url(), { connections: 1, handlerTimeoutMs: 10_000 });
    await fresh.open(effectSchema);
    await fresh.record(entries, async (entry) => {
      mostAtOnce = Math.max(mostAtOnce, ++atOnce);
      await Bun.sleep(1);
      seen.push(entry);
      atOnce -= 1;
    });
    await fresh.close();
    expect(mostAtOnce).toBe(2);
    for (const customer of ["a", "b"])
      expect(seen.filter((entry) => partyOf(entry.order) === customer)).toEqual(
        entries.filter((entry) => partyOf(entry.order) === customer),
      );
  });

  test("two that record overlapping batches at once in opposite orders both succeed, each effect once", async () => {
    const entries = Array.from({ length: 200 }, (_, index) => entryOf(`c${index % 9}`));
    const [one, two] = await Promise.all([
      ledger.record(entries, write),
      other.record(entries.toReversed(), write),
    ]);
    const handled = [...one, ...two].filter((verdict) => verdict === "handled");
    expect(handled).toHaveLength(entries.length);
    for (const entry of [entries[0], entries[199]] as Entry[])
      expect(await effectsOf(ledger, entry.order.id)).toBe(1);
  });

  test("the transaction can't be used after its end", async () => {
    let leaked: Tx | undefined = undefined as Tx | undefined;
    await ledger.record([entryOf("c1")], async (_, tx) => {
      leaked = tx;
    });
    await expect((leaked as Tx)`SELECT 1`).rejects.toThrow("is over");
  });

  test("a dead letter is found by its order, and a handled order outweighs it", async () => {
    const entry = entryOf("c1");
    const place = { topic: "orders", partition: 3, offset: entry.offset, orderId: entry.order.id };
    const burial = { ...place, reason: "the milk is sour", attempts: 5 };
    const burials = [{ ...burial, partition: 1, orderId: null }, burial];
    await ledger.bury(...burials);
    await ledger.bury(...burials);
    expect(await viewOf(ledger, entry.order.id)).toMatchObject({
      status: "dead",
      reason: "the milk is sour",
      attempts: 5,
    });
    await ledger.record([entry], write);
    expect(await viewOf(ledger, entry.order.id)).toMatchObject({ status: "handled" });
  });

  test("where a topic was made anew, the letter of an order at an older one's place is found, be it told twice", async () => {
    const [old, young] = [entryOf("c1"), entryOf("c2")];
    const place = { topic: "made anew", partition: 0, offset: 0, attempts: 1 };
    await ledger.bury({ ...place, orderId: old.order.id, reason: "old" });
    const letter = { ...place, orderId: young.order.id, reason: "young", attempts: 2 };
    await ledger.bury(letter, letter);
    const view = await viewOf(ledger, young.order.id);
    expect(view).toMatchObject({ status: "dead", reason: "young", attempts: 2 });
    await ledger.bury({ ...letter, reason: "told again" });
    expect(await viewOf(ledger, young.order.id)).toEqual(view);
  });

  test("many are found at once: the handled, the dead with the place of the newest letter, and no others", async () => {
    const [handled, dead, unknown] = [entryOf("c1"), entryOf("c2"), entryOf("c3")];
    await ledger.record([handled], write);
    const burial = { topic: "orders", partition: 3, orderId: dead.order.id, reason: "sour", attempts: 5 };
    // Neither the place nor the time of the first alone decides.
    await ledger.bury({ ...burial, offset: dead.offset + 1_000_000, reason: "older" });
    const beforeMs = Date.now();
    await until("the clock goes on", () => Date.now() > beforeMs);
    await ledger.bury({ ...burial, offset: dead.offset });
    await ledger.bury({ ...burial, offset: handled.offset + 2_000_000, orderId: handled.order.id });
    const views = await other.find([handled, dead, unknown].map(({ order }) => order.id));
    expect([...views.keys()].sort()).toEqual([handled.order.id, dead.order.id].sort());
    expect(views.get(handled.order.id)).toMatchObject({ status: "handled", offset: handled.offset });
    expect(views.get(dead.order.id)).toMatchObject({
      ...{ status: "dead", reason: "sour", attempts: 5 },
      ...{ topic: "orders", partition: 3, offset: dead.offset },
    });
    expect(await ledger.find([])).toEqual(new Map());
  });

  test("a look-up that the database refuses is the ledger's failure, whatever it says", async () => {
    const empty = createLedger(await emptyUrl(), { connections: 4, handlerTimeoutMs: 10_000 });
    await expect(empty.find([entryOf("c1").order.id])).rejects.toThrow(LedgerUnavailableError);
    await empty.close();
  });

  test("any text that JSON carries is kept as it is", async () => {
    const customer = "Zoë \"'; DROP TABLE ledger; -- {1,2} \\ ☕";
    const entry = entryOf(customer);
    await ledger.record([entry], async (_, tx) => {
      await tx`INSERT INTO effects (id, note) VALUES (${entry.order.id}, ${customer})`;
    });
    let note = "";
    await ledger.record([entryOf("reader")], async (_, tx) => {
      const [row] = await tx<{ note: string }>`SELECT note FROM effects WHERE id = ${entry.order.id}`;
      note = row?.note ?? "";
    });
    expect(note).toBe(customer);
  });

  test("a large batch is one transaction", async () => {
    const entries = Array.from({ length: 1_000 }, (_, index) => entryOf(`c${index}`));
    expect(new Set(await ledger.record(entries, async () => {}))).toEqual(new Set(["handled"]));
  });
});
