// Whose fault it is, and who has to wait for it: handlers that throw anything, hang, or say that it is not the order's
// doing; statements and records that only the database refuses. On the mock cluster, PostgreSQL is real.
import { afterAll, afterEach, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { SQL } from "bun";
import { until } from "../../kit/until.ts";
import { type OrdersCluster, type RawRecord, startOrdersCluster } from "../../testing/kafka.ts";
import { type PostgresServer, startPostgres } from "../../testing/postgres.ts";
import { idOf, newPlace, type Place, recordOf, startTestConsumer } from "../../testing/test-consumer.ts";
import type { Tx } from "../ledger/ledger.ts";
import { type Order, partyOf } from "../order.ts";
import { Reject, RetryLater } from "./handler.ts";

setDefaultTimeout(120_000);

let cluster: OrdersCluster;
let postgres: PostgresServer;
let place: Place;
let env: Record<string, string>;
beforeAll(() => {
  cluster = startOrdersCluster();
  postgres = startPostgres();
});
afterAll(() => {
  cluster.close();
  postgres[Symbol.dispose]();
});
beforeEach(async () => {
  place = newPlace(cluster);
  env = { ...place.env, LEDGER_URL: await postgres.newDatabase() };
});
afterEach(() => place[Symbol.dispose]());

const tickets = ["CREATE TABLE tickets (order_id TEXT NOT NULL)"];
/** Orders of different customers over all partitions. */
const orders = (count: number, name: string) =>
  Array.from({ length: count }, (_, n) =>
    recordOf(`${name}${n}`, { customer: `${name}${n}`, partition: n % 12 }),
  );
/** What only the database refuses, in the order's row. */
const refused = ({ value }: RawRecord) =>
  JSON.stringify({ ...JSON.parse(String(value)), placedAt: "2026-02-30T10:00:00Z" });
const isBad = (order: Order) => partyOf(order).startsWith("bad");

test("whatever a handler throws ends no process: the order has its attempts and a letter with a reason", async () => {
  const hostile = new Error("hidden");
  Object.defineProperty(hostile, "message", {
    get() {
      throw new Error("not to be looked at");
    },
  });
  const unreadable = {
    toString() {
      throw new Error("no text");
    },
  };
  const closed = new Proxy(new Error("closed"), {
    getPrototypeOf() {
      throw new Error("no kind");
    },
  });
  const thrown = [closed, Object.create(null), unreadable, "text", undefined, null, 7n, Symbol("s"), hostile];
  await place.put([...orders(thrown.length, "bad"), ...orders(20, "good")]);
  await using consumer = startTestConsumer({ ...env, HANDLER_ATTEMPTS: "2" }, (order) => {
    if (!isBad(order)) return Promise.resolve();
    const value = thrown[Number(partyOf(order).slice(3))];
    if (partyOf(order) === "bad0") throw value;
    return Promise.reject(value);
  });
  await consumer.reaches("orders_handled_total", 20);
  await consumer.reaches("orders_dead_total", thrown.length);
  const reasons = (await place.letters()).map(({ headers }) => headers["dead.reason"]);
  expect(reasons).toContain("thrown: text");
  for (const reason of reasons) expect(reason).toMatch(/^thrown: ./);
});

test("a statement that takes too long is its order's attempt; the others of its batch are handled at once", async () => {
  await place.put([recordOf("bad", { customer: "bad" }), ...orders(40, "good")]);
  await using consumer = startTestConsumer(
    { ...env, HANDLER_TIMEOUT_MS: "1500", HANDLER_ATTEMPTS: "2" },
    async (order, { tx }) => {
      await tx`INSERT INTO tickets (order_id) VALUES (${order.id})`;
      if (isBad(order)) await tx`SELECT pg_sleep(600)`;
    },
    tickets,
  );
  await consumer.reaches("orders_handled_total", 40);
  await consumer.reaches("orders_dead_total", 1);
  const [letter] = await place.letters();
  expect(letter?.headers).toMatchObject({ "dead.attempts": "2" });
  expect(letter?.headers["dead.reason"]).toStartWith("TimeoutError: ");
  expect(await consumer.metric("ledger_up")).toBe(1);
});

test("records that only the database refuses have their attempts and their letters under load", async () => {
  const records = orders(3_000, "c");
  const poisoned = [5, 700, 701, 2_000].map((n) => records[n] as (typeof records)[number]);
  for (const record of poisoned) record.value = refused(record);
  await place.put(records);
  await using consumer = startTestConsumer(
    { ...env, HANDLER_ATTEMPTS: "3" },
    async (order, { tx }) => {
      await tx`INSERT INTO tickets (order_id) VALUES (${order.id})`;
    },
    tickets,
  );
  await consumer.reaches("orders_handled_total", 2_996);
  await consumer.reaches("orders_dead_total", 4);
  await place.commits(3_000);
  expect(await consumer.metric("orders_retried_total")).toBe(4 * 2);
  for (const { headers } of await place.letters()) expect(headers["dead.reason"]).toContain("out of range");
});

test("thousands of letters are few transactions, or nobody else would get to the ledger", async () => {
  await using sql = new SQL({ url: env.LEDGER_URL as string, max: 1 });
  const transactions = async () => Number((await sql`SELECT pg_current_xact_id()::text AS id`)[0].id);
  const before = await transactions();
  await place.put(Array.from({ length: 2_000 }, (_, n) => ({ value: "junk", partition: n % 12 })));
  await using consumer = startTestConsumer(env);
  await consumer.reaches("orders_dead_total", 2_000);
  expect((await transactions()) - before).toBeLessThan(500);
});

const breaking = {
  "ends its session": (tx: Tx) => tx`SELECT pg_terminate_backend(pg_backend_pid())`,
  "says what a database says": (tx: Tx) => tx`DO 'BEGIN RAISE EXCEPTION USING ERRCODE = ''40001''; END'`,
  // Until PostgreSQL ends a transaction that stands still.
  "lets nothing else go on": async () => Bun.sleepSync(2_300),
};
test.each(Object.entries(breaking))(
  "who %s is found among the others, who do not wait for that",
  async (_, break_) => {
    const calls = new Map<string, number>();
    await place.put([recordOf("bad", { customer: "bad" }), ...orders(40, "good")]);
    const consumer = startTestConsumer(
      { ...env, HANDLER_TIMEOUT_MS: "200" },
      async (order, { tx }) => {
        const party = partyOf(order);
        calls.set(party, (calls.get(party) ?? 0) + 1);
        if (isBad(order)) await break_(tx);
        await tx`INSERT INTO tickets (order_id) VALUES (${order.id})`;
      },
      tickets,
    );
    await consumer.reaches("orders_handled_total", 40);
    calls.delete("bad");
    expect(Math.max(...calls.values())).toBeLessThan(6);
    void consumer.drain();
  },
);

test("a handler that lets nothing else go on for longer than the others have costs none of them an attempt", async () => {
  const calls = new Map<string, number>();
  await place.put([recordOf("bad", { customer: "bad" }), ...orders(20, "good")]);
  await using sql = new SQL({ url: env.LEDGER_URL as string, max: 20 });
  await Promise.all(Array.from({ length: 20 }, () => sql`SELECT pg_sleep(0.01)`));
  await using consumer = startTestConsumer(
    { ...env, HANDLER_TIMEOUT_MS: "3000" },
    {
      async effect(order) {
        calls.set(order.id, (calls.get(order.id) ?? 0) + 1);
        await (isBad(order) ? Bun.sleep(300) : sql`SELECT pg_sleep(0.5)`);
        if (isBad(order)) Bun.sleepSync(4_500);
        else await sql`SELECT pg_sleep(0.2)`;
      },
    },
  );
  await consumer.reaches("orders_handled_total", 21);
  expect(calls.values().toArray()).toEqual(Array(21).fill(1));
});

test("what a handler does to its order reaches neither its row nor its next attempt", async () => {
  const seen: string[] = [];
  const record = recordOf("1");
  await place.put([record]);
  await using consumer = startTestConsumer(env, {
    async effect(order) {
      seen.push(order.id);
      for (const name of Object.keys(order)) Object.assign(order, { [name]: "changed" });
      if (seen.length < 2) throw new Error("again");
    },
  });
  await consumer.reaches("orders_handled_total", 1);
  expect(seen).toEqual([idOf(record), idOf(record)]);
  expect((await consumer.ledger.find([idOf(record)])).get(idOf(record))).toMatchObject({ status: "handled" });
});

test("several statements that fail in one transaction: each is its order's, and the good ones are handled once", async () => {
  const good = orders(400, "good");
  await place.put([...orders(12, "bad"), ...good]);
  await using consumer = startTestConsumer(
    { ...env, HANDLER_ATTEMPTS: "2" },
    async (order, { tx }) => {
      await tx`INSERT INTO tickets (order_id) VALUES (${isBad(order) ? null : order.id})`.catch(
        () => undefined,
      );
    },
    tickets,
  );
  await consumer.reaches("orders_handled_total", 400);
  await consumer.reaches("orders_dead_total", 12);
  await using sql = new SQL({ url: env.LEDGER_URL as string, max: 1 });
  const [row] = await sql`SELECT count(*)::int AS n, count(DISTINCT order_id)::int AS ids FROM tickets`;
  expect(row).toEqual({ n: 400, ids: 400 });
});

test("orders whose tables or cursors have the same name in their transaction cost each other no attempt", async () => {
  await place.put(orders(60, "c"));
  await using consumer = startTestConsumer(
    { ...env, HANDLER_ATTEMPTS: "1" },
    async (order, { tx }) => {
      if (Number(partyOf(order).slice(1)) % 2 === 0) await tx`DECLARE one CURSOR FOR SELECT 1`;
      else await tx`CREATE TEMP TABLE one (n integer) ON COMMIT DROP`;
      await tx`INSERT INTO tickets (order_id) VALUES (${order.id})`;
    },
    tickets,
  );
  await consumer.reaches("orders_handled_total", 60);
  expect(await consumer.metric("orders_dead_total")).toBe(0);
  expect(await consumer.metric("orders_retried_total")).toBe(0);
});

test("the effect's table is locked for a while: no sessions pile up, nobody is blamed, and all are handled then", async () => {
  await using consumer = startTestConsumer(
    { ...env, HANDLER_TIMEOUT_MS: "500", HANDLER_ATTEMPTS: "3" },
    async (order, { tx }) => {
      await tx`INSERT INTO tickets (order_id) VALUES (${order.id})`;
    },
    tickets,
  );
  await place.put(orders(1, "first"));
  await consumer.reaches("orders_handled_total", 1);
  await using sql = new SQL({ url: env.LEDGER_URL as string, max: 2 });
  let most = 0;
  await sql.begin(async (lock) => {
    await lock`LOCK TABLE tickets IN SHARE MODE`;
    await place.put(orders(60, "c"));
    const endMs = performance.now() + 8_000;
    await until("it has been locked for a while", async () => {
      const [row] = await sql`SELECT count(*)::int AS busy FROM pg_stat_activity
        WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()`;
      most = Math.max(most, row.busy);
      return performance.now() > endMs && (await consumer.metric("handler_breaker_open")) === 1;
    });
  });
  // The transactions at once, and the one with the lock.
  expect(most).toBeLessThanOrEqual(4 + 1);
  await consumer.reaches("orders_handled_total", 61);
  expect(await consumer.metric("orders_dead_total")).toBe(0);
  expect(await consumer.metric("handler_breaker_open")).toBe(0);
});

test("a database that can't take so many at once gets fewer: nobody is blamed, and all are handled", async () => {
  await using consumer = startTestConsumer({ ...env, HANDLER_ATTEMPTS: "1" });
  await place.put(orders(1, "first"));
  await consumer.reaches("orders_handled_total", 1);
  await using sql = new SQL({ url: env.LEDGER_URL as string, max: 1 });
  await sql.unsafe(`CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF (SELECT count(*) FROM fresh) > 40 THEN PERFORM pg_cancel_backend(pg_backend_pid()), pg_sleep(600); END IF;
    RETURN NULL; END $$;
    CREATE TRIGGER no_room AFTER INSERT ON ledger_current REFERENCING NEW TABLE AS fresh EXECUTE FUNCTION no_room()`);
  await sql.begin(async (lock) => {
    // Until all are there, so that they go together.
    await lock`LOCK TABLE ledger_current IN ACCESS EXCLUSIVE MODE`;
    await place.put(orders(300, "c"));
    await consumer.reaches("kafka_partition_position", 301);
  });
  await consumer.reaches("orders_handled_total", 301);
  expect(await consumer.metric("orders_retried_total")).toBe(0);
  expect(await consumer.metric("orders_dead_total")).toBe(0);
});

test.each([
  ["says so", () => new RetryLater("the kitchen is down")],
  ["fails all orders, as a bad deploy does", () => new Error("the kitchen is down")],
])(
  "a dependency that %s costs nobody an attempt: a breaker holds back, probes, and goes on",
  async (_, error) => {
    let down = true;
    let calls = 0;
    await using consumer = startTestConsumer(
      { ...env, HANDLER_ATTEMPTS: "3" },
      {
        async effect() {
          calls += 1;
          if (down) throw error();
        },
      },
    );
    await place.put(orders(300, "c"));
    await until("the breaker is open", async () => (await consumer.metric("handler_breaker_open")) === 1);
    await until("it probes", () => calls > 64 + 1);
    expect(calls).toBeLessThan(200);
    expect(await consumer.metric("orders_waiting")).toBeGreaterThan(0);
    down = false;
    await consumer.reaches("orders_handled_total", 300);
    expect(await consumer.metric("orders_dead_total")).toBe(0);
    expect(await consumer.metric("handler_breaker_open")).toBe(0);
    expect(await consumer.metric("orders_waiting")).toBe(0);
  },
);

test("an order that says RetryLater waits alone and visibly; one that is rejected is a letter at once", async () => {
  let tries = 0;
  const [later, rejected, ...others] = [
    recordOf("later", { customer: "later" }),
    recordOf("rejected", { customer: "rejected" }),
    ...orders(100, "good"),
  ];
  await place.put([later, rejected, ...others].flatMap((record) => record ?? []));
  await using consumer = startTestConsumer({ ...env, HANDLER_ATTEMPTS: "2" }, async (order, { attempt }) => {
    const customer = partyOf(order);
    if (customer === "rejected") throw new Reject("no such coffee");
    if (customer !== "later") return;
    tries += 1;
    expect(attempt).toBe(1);
    throw new RetryLater("not yet");
  });
  await consumer.reaches("orders_handled_total", 100);
  await consumer.reaches("orders_dead_total", 1);
  await until("it was tried often", () => tries > 6);
  expect(await consumer.metric("orders_dead_total")).toBe(1);
  const metrics = async () => (await consumer.request("/metrics")).text();
  const waits = /^orders_waiting\{.*for="dependency".*\} 1$/m;
  await until("it is seen to wait", async () => waits.test(await metrics()));
  const [letter] = await place.letters();
  expect(letter?.headers).toMatchObject({ "dead.reason": "Reject: no such coffee", "dead.attempts": "1" });
});

test("effects that each say RetryLater at first are all done: probes are by turns fresh and of what failed", async () => {
  const begun = new Set<string>();
  await place.put(orders(60, "c"));
  await using consumer = startTestConsumer(
    { ...env, EFFECT_CONCURRENCY: "10" },
    {
      async effect({ id }) {
        if (begun.has(id)) return;
        begun.add(id);
        throw new RetryLater("it was only begun");
      },
    },
  );
  await consumer.reaches("orders_handled_total", 60);
});

test("effects that fail are called again, and no others: none for its row, and one that was recorded none for a copy", async () => {
  const records = orders(600, "c");
  const bad = new Set(records.filter((_, n) => n % 50 === 0).map(idOf));
  const unrecorded = records[7] as (typeof records)[number];
  unrecorded.value = refused(unrecorded);
  const calls = new Map<string, number>();
  await place.put(records);
  await using consumer = startTestConsumer(
    { ...env, HANDLER_ATTEMPTS: "3" },
    {
      async effect({ id }) {
        calls.set(id, (calls.get(id) ?? 0) + 1);
        if (bad.has(id)) throw new Error("sour");
      },
    },
  );
  await consumer.reaches("orders_handled_total", 600 - bad.size - 1);
  await consumer.reaches("orders_dead_total", bad.size + 1);
  for (const [id, count] of calls) expect(count).toBe(bad.has(id) ? 3 : 1);
  const copies = records.filter((record) => record !== unrecorded && !bad.has(idOf(record)));
  await place.put(copies);
  await consumer.reaches("orders_duplicate_total", copies.length);
  for (const [id, count] of calls) expect(count).toBe(bad.has(id) ? 3 : 1);
});

test("on SQLite a hanging effect stops nobody, and a hanging apply others for its second", async () => {
  const hang = async (order: Order) => {
    if (isBad(order)) await new Promise(() => undefined);
  };
  {
    await using consumer = startTestConsumer({ ...place.env, HANDLER_TIMEOUT_MS: "60000" }, { effect: hang });
    await place.put([...orders(3, "bad"), ...orders(200, "good")]);
    await consumer.reaches("orders_handled_total", 200);
    expect(await consumer.metric("orders_dead_total")).toBe(0);
    void consumer.drain();
  }
  const other = newPlace(cluster);
  await using consumer = startTestConsumer(
    { ...other.env, HANDLER_TIMEOUT_MS: "60000", HANDLER_ATTEMPTS: "2" },
    hang,
  );
  await other.put([recordOf("bad", { customer: "bad" }), ...orders(200, "good")]);
  await consumer.reaches("orders_dead_total", 1);
  await consumer.reaches("orders_handled_total", 200);
  const [letter] = await other.letters();
  expect(letter?.headers["dead.reason"]).toBe("TimeoutError: not handled within 1000 ms");
  other[Symbol.dispose]();
});
