/** What becomes of the ledger when PostgreSQL fails it: the blame goes to the database, and the ledger recovers. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, jest, test } from "bun:test";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { SQL } from "bun";
import { until } from "../../kit/until.ts";
import { entryOf, failuresOf, viewOf } from "../../testing/entries.ts";
import { type PostgresServer, startPostgres } from "../../testing/postgres.ts";
import { partyOf } from "../order.ts";
import { BatchError, type Entry, type Ledger, LedgerUnavailableError, type Tx } from "./ledger.ts";
import { createLedger } from "./open.ts";

let server: PostgresServer;
let ledger: Ledger;
let ledgerUrl: string;
beforeAll(async () => {
  // Whoever reads its words, and not its codes, is found out where its translations are installed.
  server = startPostgres({}, { LANGUAGE: "ko" });
  await asOperator((sql) => sql`CREATE ROLE consumer LOGIN SUPERUSER`);
  ledgerUrl = server.url.replace("postgres@", "consumer@");
}, 120_000);
afterAll(() => server[Symbol.dispose]());
// Each test has new connections: what the last one broke is its own affair.
beforeEach(async () => {
  ledger = createLedger(ledgerUrl, { connections: 4, handlerTimeoutMs: 10_000 });
  await ledger.open(["CREATE TABLE IF NOT EXISTS effects (id TEXT PRIMARY KEY, n INTEGER NOT NULL)"]);
});
afterEach(() => ledger.close());

async function asOperator(act: (sql: SQL) => Promise<unknown>): Promise<void> {
  const sql = new SQL({ url: server.url, max: 1 });
  await act(sql);
  await sql.close();
}

/** How many of them have a row, and how many the effect that goes with it. */
const effectsOf = async (entries: Entry[]) => {
  await using sql = new SQL({ url: server.url, max: 1 });
  const ids = sql.array(
    entries.map(({ order }) => order.id),
    "TEXT",
  );
  return await sql`SELECT count(*)::int AS rows, count(effects.id)::int AS effects
    FROM ledger LEFT JOIN effects ON effects.id = ledger.id::text WHERE ledger.id::text = ANY(${ids}::text[])`;
};

const recovers = (entry: ReturnType<typeof entryOf>) =>
  until("the ledger records again", async () => {
    const [verdict] = await ledger
      .record([entry], async ({ order }, tx) => {
        await tx`INSERT INTO effects VALUES (${order.id}, 1)`;
      })
      .catch((error) => {
        expect(error).toBeInstanceOf(LedgerUnavailableError);
        return [];
      });
    return verdict;
  });

test("killed in the middle of a transaction: nothing of it is there, and after the restart it is handled", async () => {
  const entry = entryOf("c1");
  const record = ledger.record([entry], async ({ order }, tx) => {
    await tx`INSERT INTO effects VALUES (${order.id}, 1)`;
    server.kill();
    await tx`SELECT 1`;
  });
  await expect(record).rejects.toThrow(LedgerUnavailableError);
  // Everything that is asked meanwhile says the same.
  await expect(viewOf(ledger, entry.order.id)).rejects.toThrow(LedgerUnavailableError);
  await expect(ledger.record([entry], async () => {})).rejects.toThrow(LedgerUnavailableError);
  const burial = { topic: "orders", partition: 0, offset: 1, orderId: null, reason: "", attempts: 1 };
  await expect(ledger.bury(burial)).rejects.toThrow(LedgerUnavailableError);

  server.start();
  expect(await recovers(entry)).toBe("handled");
  expect(await viewOf(ledger, entry.order.id)).toMatchObject({ status: "handled", deliveries: 1 });
}, 120_000);

test("connections that an operator ends are replaced", async () => {
  const entry = entryOf("c1");
  const record = ledger.record([entry], async (_, tx) => {
    await asOperator(
      (sql) => sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'consumer'`,
    );
    await tx`SELECT 1`;
  });
  await expect(record).rejects.toThrow(LedgerUnavailableError);
  expect(await recovers(entry)).toBe("handled");
});

test("who was answered in time is not taken later for one that was not: its connections stay", async () => {
  const connections = async () => {
    let pids: number[] = [];
    await asOperator(async (sql) => {
      const rows = await sql`SELECT pid FROM pg_stat_activity WHERE usename = 'consumer' ORDER BY pid`;
      pids = rows.map(({ pid }: { pid: number }) => pid);
    });
    return pids;
  };
  jest.useFakeTimers();
  try {
    await viewOf(ledger, entryOf("c1").order.id);
    const before = await connections();
    expect(before).not.toEqual([]);
    jest.advanceTimersByTime(60_000);
    await viewOf(ledger, entryOf("c1").order.id);
    expect(await connections()).toEqual(before);
  } finally {
    jest.useRealTimers();
  }
});

test.each([
  [
    "a server that became read-only",
    "ALTER ROLE consumer SET default_transaction_read_only = on",
    "RESET default_transaction_read_only",
  ],
  ["a role that may not log in any more", "ALTER ROLE consumer NOLOGIN", "LOGIN"],
  [
    "a library that connections load, and that is gone",
    "ALTER ROLE consumer SET session_preload_libraries = gone",
    "RESET session_preload_libraries",
  ],
])("%s is waited for", async (_, fault, heal) => {
  await asOperator((sql) => sql.unsafe(fault));
  const other = createLedger(ledgerUrl, { connections: 1, handlerTimeoutMs: 10_000 });
  const entry = entryOf("c1");
  try {
    await expect(other.record([entry], async () => {})).rejects.toThrow(LedgerUnavailableError);
  } finally {
    await asOperator((sql) => sql.unsafe(`ALTER ROLE consumer ${heal}`));
  }
  await other.close();
  expect(await recovers(entry)).toBe("handled");
});

test("two transactions that block each other: the database's choice of a victim is nobody's fault", async () => {
  const [one, two] = [entryOf("a"), entryOf("b")];
  await ledger.record([entryOf("c")], async (_, tx) => {
    await tx`INSERT INTO effects VALUES ('left', 1), ('right', 1) ON CONFLICT DO NOTHING`;
  });
  const { promise: bothHold, resolve } = Promise.withResolvers<void>();
  let holding = 0;
  const crossing = (entry: typeof one, first: string, second: string) =>
    ledger.record([entry], async (_, tx) => {
      await tx`UPDATE effects SET n = n + 1 WHERE id = ${first}`;
      if (++holding === 2) resolve();
      await bothHold;
      await tx`UPDATE effects SET n = n + 1 WHERE id = ${second}`;
    });
  const ends = await Promise.allSettled([crossing(one, "left", "right"), crossing(two, "right", "left")]);
  const [victim] = ends.filter(({ status }) => status === "rejected") as PromiseRejectedResult[];
  expect(ends.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  expect(victim?.reason).toBeInstanceOf(LedgerUnavailableError);
});

test("a statement that takes too long is ended on the server, and is the order's doing: nobody else's", async () => {
  const [slow, ...others] = ["a", "b", "c"].map((customer) => entryOf(customer));
  const entries = [slow as Entry, ...others];
  const record = ledger.record(
    entries,
    async (entry, tx) => {
      await (entry === slow ? tx`SELECT pg_sleep(600)` : tx`SELECT 1`);
    },
    200,
  );
  expect([...(await failuresOf(entries, record))]).toMatchObject([
    [slow, { place: "statement", error: { name: "TimeoutError" } }],
  ]);
  await asOperator(async (sql) => {
    const [{ busy }] = await sql`SELECT count(*)::int AS busy FROM pg_stat_activity
      WHERE usename = 'consumer' AND state <> 'idle'`;
    expect(busy).toBe(0);
  });
});

test("where statement after statement takes too long, a transaction does not wait for each", async () => {
  const entries = Array.from({ length: 20 }, (_, index) => entryOf(`c${index}`));
  const slow = async (_: Entry, tx: Tx) => void (await tx`SELECT pg_sleep(600)`);
  expect((await failuresOf(entries, ledger.record(entries, slow, 100))).size).toBe(1);
});

test("of many statements that one asks for at once the others of its batch wait for one, when its time is over", async () => {
  const [many, good] = [entryOf("many"), entryOf("good")];
  let asked = 0;
  const statements = async (entry: Entry, tx: Tx) => {
    if (entry === good) return void (await tx`SELECT 1`);
    const all = Array.from({ length: 30 }, () => tx`SELECT pg_sleep(0.2)`.then(() => (asked += 1)));
    await Promise.race([Promise.all(all), Bun.sleep(300).then(() => Promise.reject(new Error("late")))]);
  };
  const failures = await failuresOf([many, good], ledger.record([many, good], statements, 300));
  expect([...failures]).toEqual([[many, expect.objectContaining({ place: "handler" })]]);
  expect(asked).toBeLessThan(5);
});

/** A way to the server: its answers come as they are, and `relay` gives on what the client says. @param own what a test sees of it */
async function openWay<Own extends object>(own: Own, relay: (client: Socket, upstream: Socket) => void) {
  const { hostname, port } = new URL(server.url);
  const listener = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    for (const socket of [client, upstream])
      socket.on("error", () => [client, upstream].map((one) => one.destroy()));
    upstream.pipe(client);
    relay(client, upstream);
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const url = ledgerUrl.replace(`:${port}/`, `:${(listener.address() as AddressInfo).port}/`);
  return Object.assign(own, { url, [Symbol.dispose]: () => void listener.close() });
}

/** One on which the n-th use of a statement fails, as if it were cancelled just then; 0: none does. */
function failingWay(statement: string) {
  const own = { nth: 0 };
  return openWay(own, (client, upstream) => {
    const names = new Set<string>();
    let rest: Buffer = Buffer.alloc(0);
    let typeBytes = 0;
    client.on("end", () => upstream.end());
    client.on("data", (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= typeBytes + 4 && rest.length >= typeBytes + rest.readInt32BE(typeBytes)) {
        const end = typeBytes + rest.readInt32BE(typeBytes);
        const message = Buffer.from(rest.subarray(0, end));
        rest = rest.subarray(end);
        const type = typeBytes > 0 ? String.fromCharCode(message[0] as number) : "startup";
        typeBytes = 1;
        // Parse: a name, its statement. Bind: a portal, a name. Source: PostgreSQL's manual, «Message Formats».
        const [first = "", second = ""] = message.subarray(5).toString("latin1").split("\0");
        if (type === "P" && second === statement) names.add(first);
        if (type === "B" && names.has(second) && own.nth-- === 1) message.write("?", 5 + first.length + 1);
        upstream.write(message);
      }
    });
  });
}

test.each([
  ["SAVEPOINT one", 1],
  ["SAVEPOINT one", 2],
  ["RELEASE SAVEPOINT one", 1],
  ["ROLLBACK TO SAVEPOINT one", 1],
])("where %s fails, number %d of a transaction, no effect is taken out of it", async (statement, nth) => {
  using way = await failingWay(statement);
  const struck = createLedger(way.url, { connections: 1, handlerTimeoutMs: 10_000 });
  const record = (entries: Entry[]) =>
    struck.record(entries, async ({ order }, tx) => {
      if (partyOf(order) === "quiet") throw new Error("sour");
      await tx`INSERT INTO effects VALUES (${order.id}, ${partyOf(order) === "bad" ? null : 1})`;
    });
  const failing = async (entries: Entry[]) => {
    const failures = await failuresOf(entries, record(entries));
    return [...failures.keys()].map(({ order }) => partyOf(order));
  };
  // From then on a group has three.
  expect(await failing(["bad", "good"].map((customer) => entryOf(customer)))).toEqual(["bad"]);
  const sour = statement.startsWith("ROLLBACK") ? "bad" : "quiet";
  const entries = ["a", "b", "c", "d", sour, "e"].map((customer) => entryOf(customer));
  way.nth = nth;
  const failed = await failing(entries).catch((error) => {
    expect(error).toBeInstanceOf(LedgerUnavailableError);
    return [];
  });
  expect(way.nth).toBeLessThan(1);
  expect(failed.filter((customer) => customer !== sour)).toEqual([]);
  const [row] = await effectsOf(entries);
  expect(row).toEqual({ rows: row.effects, effects: row.rows });
  await struck.close();
});

test("who was held up by another is not blamed for what it still does when the transaction is over", async () => {
  const [slow, heldUp] = [entryOf("slow"), entryOf("held up")];
  let late: Tx | undefined;
  const work = async (entry: Entry, tx: Tx) => {
    const done = tx`SELECT pg_sleep(0.3)`;
    if (entry === slow) return void (await done);
    late = tx;
    throw new Error("its time is over, and its statement is behind another's");
  };
  expect(await ledger.record([slow, heldUp], work, 500)).toEqual([undefined, undefined]);
  await expect((late as unknown as Tx)`SELECT 1`).rejects.toThrow("over");
});

test("a transaction whose time is over begins no more groups: their orders are not come to, and nobody's fault", async () => {
  const entries = Array.from({ length: 50 }, (_, index) => entryOf(`c${index}`));
  const fail = async (_: Entry, tx: Tx) => void (await tx`SELECT 1 / 0`);
  // From then on they are small.
  expect((await failuresOf(entries, ledger.record(entries, fail))).size).toBe(50);
  const begun = new Set<Entry>();
  const recorded = await ledger.record(
    entries,
    async (entry, tx) => {
      begun.add(entry);
      await tx`SELECT pg_sleep(0.06)`;
    },
    100,
  );
  expect(begun.size).toBeLessThan(10);
  expect(recorded).toEqual(entries.map((entry) => (begun.has(entry) ? "handled" : undefined)));
  // And none is small where that takes too long.
  let [running, most] = [0, 0];
  for (const _ of [1, 2]) {
    const others = Array.from({ length: 50 }, (_, index) => entryOf(`c${index}`));
    const wait = async () => {
      most = Math.max(most, ++running);
      await Bun.sleep(60);
      running -= 1;
    };
    await ledger.record(others, wait, 200);
  }
  expect(most).toBeGreaterThan(20);
});

test("the ledger's own statement that has to wait too long is the ledger's failure", async () => {
  const entry = entryOf("c1");
  await asOperator((sql) => sql`ALTER ROLE consumer SET lock_timeout = 100`);
  const hasty = createLedger(ledgerUrl, { connections: 1, handlerTimeoutMs: 10_000 });
  await asOperator((sql) =>
    sql.begin(async (lock) => {
      await lock`LOCK TABLE ledger IN ACCESS EXCLUSIVE MODE`;
      await expect(hasty.record([entry], async () => {})).rejects.toThrow(LedgerUnavailableError);
    }),
  );
  await asOperator((sql) => sql`ALTER ROLE consumer RESET lock_timeout`);
  await hasty.close();
});

test("the commit of a transaction that PostgreSQL had given up is reported: it is no success", async () => {
  await asOperator(async (sql) => {
    const swallowed = sql.begin(async (tx) => {
      await tx`SELECT 1 / 0`.catch(() => undefined);
    });
    await expect(swallowed).rejects.toMatchObject({ code: "ERR_POSTGRES_COMMIT_ROLLED_BACK" });
  });
});

test("a role that may not delete is told all that failed at once: without them the others are recorded", async () => {
  await asOperator((sql) =>
    sql.unsafe(`CREATE ROLE runtime LOGIN;
      GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO runtime`),
  );
  const url = server.url.replace("postgres@", "runtime@");
  const runtime = createLedger(url, { connections: 1, handlerTimeoutMs: 10_000 });
  const entries = Array.from({ length: 20 }, (_, index) => entryOf(`c${index}`));
  const bad = new Set(entries.filter((_, index) => index % 5 === 0));
  const record = (some: Entry[]) =>
    runtime.record(some, async (entry, tx) => {
      await tx`INSERT INTO effects VALUES (${entry.order.id}, ${bad.has(entry) ? null : 1})`;
    });
  const error: BatchError = await record(entries).then(undefined, (error) => error);
  expect(new Set(error.failures.keys())).toEqual(bad);
  const others = entries.filter((entry) => !bad.has(entry));
  expect(new Set(await record(others))).toEqual(new Set(["handled"]));
  await runtime.close();
});

test("a table that changes under a handler's statement is nobody's fault", async () => {
  const look = () =>
    ledger.record([entryOf("c1")], async (_, tx) => {
      await tx`SELECT * FROM effects`;
    });
  // Each connection plans it.
  const lookAtOnce = () => Promise.all(Array.from({ length: 6 }, look));
  await lookAtOnce();
  await asOperator((sql) => sql`ALTER TABLE effects ADD COLUMN later text`);
  await until("it is planned anew", () =>
    lookAtOnce().catch((error) => {
      expect(error).toBeInstanceOf(LedgerUnavailableError);
    }),
  );
  await asOperator((sql) => sql`ALTER TABLE effects DROP COLUMN later`);
});

test("a statement of whose name the session has another, as behind a pooler, is nobody's fault", async () => {
  const twice = ledger.record([entryOf("c1")], async (_, tx) => {
    await tx`DO 'BEGIN EXECUTE ''PREPARE twice AS SELECT 1''; EXECUTE ''PREPARE twice AS SELECT 1''; END'`;
  });
  await expect(twice).rejects.toThrow(LedgerUnavailableError);
});

/** One that counts how often the client says something after an answer. */
function countingWay() {
  const own = { turns: 0 };
  return openWay(own, (client, upstream) => {
    let isAnswered = false;
    upstream.on("data", () => {
      isAnswered = true;
    });
    client.on("data", () => {
      own.turns += Number(isAnswered);
      isAnswered = false;
    });
    client.pipe(upstream);
  });
}

test("orders that come again take few ways to the server together, not one each: it may be far away", async () => {
  using way = await countingWay();
  const far = createLedger(way.url, { connections: 1, handlerTimeoutMs: 10_000 });
  const entries = Array.from({ length: 500 }, (_, index) => entryOf(`c${index}`));
  await far.record(entries, async () => {});
  way.turns = 0;
  expect(new Set(await far.record(entries, async () => {}))).toEqual(new Set(["redelivered"]));
  expect(way.turns).toBeLessThan(100);
  expect(await viewOf(far, (entries[499] as Entry).order.id)).toMatchObject({ deliveries: 2 });
  await far.close();
});

test("a server that takes no writes any more is left for one that does", async () => {
  const set = (to: string) => asOperator((sql) => sql.unsafe(`ALTER ROLE consumer ${to}`));
  await set("SET default_transaction_read_only = on");
  const entry = entryOf("c1");
  await until("new connections refuse", async () => {
    await asOperator(
      (sql) => sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'consumer'`,
    );
    const refused = await ledger.record([entryOf("c1")], async () => {}).catch((error) => error);
    return refused.cause?.errno === "25006";
  });
  // What is connected stays as it was.
  await set("RESET default_transaction_read_only");
  expect(await recovers(entry)).toBe("handled");
});

test("what a handler leaves in its session keeps nobody from the ledger", async () => {
  await ledger.record([entryOf("c1")], async (_, tx) => {
    await tx`DO 'BEGIN SET search_path = nowhere; END'`;
  });
  // As many as there are connections, so that the one is among them.
  const all = () =>
    Promise.all(Array.from({ length: 6 }, () => ledger.record([entryOf("c1")], async () => {})));
  await until("all of its connections record", async () => {
    const failed = await all().catch((error) => {
      expect(error).toBeInstanceOf(LedgerUnavailableError);
    });
    return failed !== undefined;
  });
  await all();
});

test("transactions that met on a row go one at a time, and meet no more, nor with an order that goes alone", async () => {
  await asOperator((sql) => sql`CREATE TABLE stock AS SELECT n, 0 AS sold FROM generate_series(0, 1) AS n`);
  const round = async (orders = 2): Promise<number> => {
    let [met, begun] = [0, 0];
    const sell = async (...rows: number[]) => {
      const entries = [entryOf("a"), entryOf("b")].slice(0, orders);
      await ledger
        .record(entries, async (entry, tx) => {
          if (entry !== entries[0]) return;
          await tx`UPDATE stock SET sold = sold + 1 WHERE n = ${rows[0] ?? 0}`;
          begun += 1;
          // Unless it is alone: then nobody comes.
          for (let n = 0; begun < 2 && n < 100; n += 1) await Bun.sleep(10);
          await tx`UPDATE stock SET sold = sold + 1 WHERE n = ${rows[1] ?? 0}`;
        })
        .catch((error) => {
          expect(error).toBeInstanceOf(LedgerUnavailableError);
          met += 1;
        });
    };
    await Promise.all([sell(0, 1), sell(1, 0)]);
    return met;
  };
  await until("they meet", async () => (await round()) > 0);
  expect(await round()).toBe(0);
  expect(await round(1)).toBe(0);
});

test("of a consumer's transactions one at a time waits for its turn on the server", async () => {
  await asOperator((sql) => sql`CREATE TABLE shared AS SELECT n, 0 AS sold FROM generate_series(0, 1) AS n`);
  await using sql = new SQL({ url: server.url, max: 1 });
  await sql.begin(async (keeper) => {
    await keeper`UPDATE shared SET sold = 1`;
    const sell = async (_: Entry, tx: Tx) => void (await tx`UPDATE shared SET sold = 2`);
    // Meets the keeper on a row, and from then on takes turns.
    const record = ledger.record([entryOf("a"), entryOf("b")], sell, 200);
    await expect(record).rejects.toThrow(LedgerUnavailableError);
  });
  const turns = async (granted: boolean): Promise<number> => {
    const [row] = await sql`SELECT count(*)::int AS count FROM pg_locks
      WHERE locktype = 'advisory' AND objid = 727003 AND granted = ${granted}`;
    return row.count;
  };
  const { promise: goOn, resolve } = Promise.withResolvers<void>();
  const records = Array.from({ length: 3 }, () => ledger.record([entryOf("c")], () => goOn));
  await until("one has its turn", async () => (await turns(true)) === 1);
  // Whoever would wait there has begun before this.
  await ledger.find([entryOf("d").order.id]);
  expect(await turns(false)).toBe(0);
  resolve();
  expect(await Promise.all(records)).toEqual([["handled"], ["handled"], ["handled"]]);
});

test.each([
  ["the attempt's time", 0],
  ["a lock_timeout", 50],
])(
  "a row that another keeps for longer than %s is nobody's fault at first, and then that of who waits for it",
  async (_, lockTimeoutMs) => {
    await asOperator((sql) => sql`CREATE TABLE IF NOT EXISTS kept AS SELECT 1 AS n`);
    await using sql = new SQL({ url: server.url, max: 1 });
    await sql.begin(async (keeper) => {
      await keeper`UPDATE kept SET n = 1`;
      const [good, bad] = [entryOf("good"), entryOf("bad")];
      const record = () =>
        ledger.record(
          [good, bad],
          async (entry, tx) => {
            if (entry !== bad) return;
            await tx`SELECT set_config('lock_timeout', ${String(lockTimeoutMs)}, true)`;
            await tx`UPDATE kept SET n = 2`;
          },
          200,
        );
      await expect(record()).rejects.toThrow(LedgerUnavailableError);
      expect([...(await failuresOf([good, bad], record())).keys()]).toEqual([bad]);
    });
  },
);

test("a constraint that is found at the commit is the record's, whosever it is", async () => {
  await asOperator(
    (sql) => sql`CREATE TABLE IF NOT EXISTS once (n INTEGER UNIQUE DEFERRABLE INITIALLY DEFERRED)`,
  );
  const error: BatchError = await ledger
    .record([entryOf("a"), entryOf("b")], async (_, tx) => {
      await tx`INSERT INTO once VALUES (1)`;
    })
    .catch((error) => error);
  expect(error).toBeInstanceOf(BatchError);
  expect(error.failures.size).toBe(0);
  expect((error.cause as { errno: string }).errno).toBe("23505");
});

test("what is put off to the commit has the limit of a statement: it is the record's, and no session is left behind", async () => {
  await asOperator((sql) =>
    sql.unsafe(`CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(600); RETURN NULL; END $$;
      CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON effects DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.n = 600) EXECUTE FUNCTION dawdle()`),
  );
  const recording = ledger.record(
    [entryOf("good"), entryOf("bad")],
    async ({ order }, tx) => {
      await tx`INSERT INTO effects VALUES (${order.id}, ${partyOf(order) === "bad" ? 600 : 1})`;
    },
    200,
  );
  const error: BatchError = await recording.then(undefined, (error) => error);
  await asOperator(async (sql) => {
    const [{ busy }] = await sql`SELECT count(*)::int AS busy FROM pg_stat_activity
      WHERE usename = 'consumer' AND state <> 'idle'`;
    await sql`DROP FUNCTION dawdle CASCADE`.catch(() => undefined);
    expect(busy).toBe(0);
  });
  expect(error).toBeInstanceOf(BatchError);
  expect(error).toMatchObject({ failures: new Map(), cause: { name: "TimeoutError" } });
});

test("a transaction that PostgreSQL ended, since it stood still, is nobody's fault", async () => {
  const still = ledger.record([entryOf("a")], async (_, tx) => {
    await tx`SET LOCAL idle_in_transaction_session_timeout = 20`;
    await Bun.sleep(200);
    await tx`SELECT 1`;
  });
  await expect(still).rejects.toThrow(LedgerUnavailableError);
});

test("a file that a handler's statement names, and a limit that it exceeds, are no failure of the server's", async () => {
  const statements = [
    (tx: Tx) => tx`COPY effects TO '/nowhere/at/all'`,
    (tx: Tx) => tx`LOAD 'no such library'`,
    // Its words are where it failed, and look like a row's place.
    (tx: Tx) => tx`DO 'BEGIN PERFORM 1 / (n - 1) FROM (VALUES (1, 2)) AS one (n); END'`,
    (tx: Tx) => tx`SELECT count(DISTINCT n) FROM generate_series(1, 1000000) AS n`,
  ];
  for (const state of statements) {
    const [bad, good] = [entryOf("bad"), entryOf("good")];
    const recording = ledger.record([bad, good], async (entry, tx) => {
      await tx`SET LOCAL temp_file_limit = 64`;
      await tx`SET LOCAL work_mem = 64`;
      if (entry === bad) await state(tx);
    });
    const failures = await failuresOf([bad, good], recording);
    expect([...failures]).toEqual([[bad, expect.objectContaining({ place: "statement" })]]);
  }
});

test("a column that somebody gave the ledger, and no row may be without, is no record's fault", async () => {
  const alter = (how: string) => asOperator((sql) => sql.unsafe(`ALTER TABLE ledger_current ${how}`));
  await alter("ADD COLUMN audited boolean NOT NULL DEFAULT false");
  await alter("ALTER COLUMN audited DROP DEFAULT");
  const entry = entryOf("c1");
  try {
    await expect(ledger.record([entry], async () => {})).rejects.toThrow(LedgerUnavailableError);
  } finally {
    await alter("DROP COLUMN audited");
  }
  expect(await recovers(entry)).toBe("handled");
});

test("what the record is to blame for is not the ledger's failure", async () => {
  const faulty = ledger.record([entryOf("c1")], async ({ order }, tx) => {
    await tx`INSERT INTO effects VALUES (${order.id}, ${null})`;
  });
  await expect(faulty).rejects.not.toThrow(LedgerUnavailableError);
  const impossible = entryOf("c1");
  impossible.order.placedAt = "2026-99-99T00:00:00Z";
  await expect(ledger.record([impossible], async () => {})).rejects.not.toThrow(LedgerUnavailableError);
  await asOperator((sql) =>
    sql.unsafe(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
      CREATE TRIGGER refuse BEFORE INSERT ON ledger_current FOR EACH ROW WHEN (NEW.customer = 'sour') EXECUTE FUNCTION refuse()`),
  );
  const refused = ledger.record([entryOf("sour"), entryOf("good")], async () => {});
  await expect(refused).rejects.toThrow(BatchError);
});

test.each(["08006", "40001", "53000", "57P01"])(
  "what a trigger raises as %s, on the ledger's row or at the commit, is its order's: it would be so for ever",
  async (code) => {
    const raise = `CREATE OR REPLACE FUNCTION raise() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE 'no' USING ERRCODE = '${code}'; END $$`;
    await asOperator((sql) => sql.unsafe(raise));
    const ways = [
      "TRIGGER raise BEFORE INSERT ON ledger_current",
      "CONSTRAINT TRIGGER raise AFTER INSERT ON effects DEFERRABLE INITIALLY DEFERRED",
    ];
    for (const way of ways) {
      await asOperator((sql) => sql.unsafe(`CREATE ${way} FOR EACH ROW EXECUTE FUNCTION raise()`));
      const refused = ledger.record([entryOf("c1")], async ({ order }, tx) => {
        await tx`INSERT INTO effects VALUES (${order.id}, 1)`;
      });
      const error = await refused.catch((error) => error);
      await asOperator((sql) => sql`DROP FUNCTION raise CASCADE`);
      await asOperator((sql) => sql.unsafe(raise));
      expect(error).toBeInstanceOf(BatchError);
      expect(error.cause).toMatchObject({ errno: code });
    }
  },
);
