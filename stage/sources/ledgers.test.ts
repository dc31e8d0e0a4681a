// What the stage reads of a ledger, the same of both kinds: written by the ledger that the consumers have.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SQL } from "bun";
import { until } from "../../kit/until.ts";
import { handler, migrations } from "../../src/handle.ts";
import type { Handler } from "../../src/handling/handler.ts";
import type { Apply, Ledger } from "../../src/ledger/ledger.ts";
import { createLedger } from "../../src/ledger/open.ts";
import { entryOf } from "../../testing/entries.ts";
import { type PostgresServer, startPostgres } from "../../testing/postgres.ts";
import { createPostgresLook, createSqliteLook } from "./ledgers.ts";

let server: PostgresServer;
let folder: string;
beforeAll(() => {
  server = startPostgres();
  folder = mkdtempSync(join(tmpdir(), "coffee-orders-stage-ledgers-"));
}, 120_000);
afterAll(() => {
  server[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

const kinds = {
  postgres: async () => {
    const url = await server.newDatabase();
    return { url, look: createPostgresLook({ url }) };
  },
  sqlite: async () => {
    const path = join(folder, `${crypto.randomUUID()}.sqlite`);
    return { url: `sqlite:${path}`, look: createSqliteLook(path) };
  },
};
/** The effect so many times. */
const times =
  (count: number): Apply =>
  async ({ order }, tx) => {
    for (let n = 0; n < count; n += 1)
      await (handler as Extract<Handler, { apply: unknown }>).apply(order, { tx } as never);
  };

describe.each(["postgres", "sqlite"] as const)("%s", (kind) => {
  let ledger: Ledger;
  let look: ReturnType<typeof createPostgresLook>;
  beforeEach(async () => {
    const made = await kinds[kind]();
    look = made.look;
    ledger = createLedger(made.url, { connections: 1, handlerTimeoutMs: 5_000 });
    await ledger.open(migrations);
  });
  afterEach(async () => {
    await look.close();
    await ledger.close();
  });

  test("handled, delivered again, doubled, without effect, dead, and not there", async () => {
    const [once, again, twice, bare, dead, absent] = ["a", "b", "c", "d", "e", "f"].map((name) =>
      entryOf(name),
    );
    if (!once || !again || !twice || !bare || !dead || !absent) throw new Error("six entries");
    await ledger.record([once, again], times(1));
    await ledger.record([again], times(1));
    await ledger.record([twice], times(2));
    await ledger.record([bare], times(0));
    const place = { topic: "orders", partition: 3, offset: 7 };
    await ledger.bury({ ...place, orderId: dead.order.id, reason: "no milk", attempts: 10 });
    const found = await look.look([once, again, twice, bare, dead, absent].map(({ order }) => order.id));
    expect(Object.fromEntries(found)).toEqual({
      [once.order.id]: { deliveries: 1, effects: 1, dead: false, digest: once.digest },
      [again.order.id]: { deliveries: 2, effects: 1, dead: false, digest: again.digest },
      [twice.order.id]: { deliveries: 1, effects: 2, dead: false, digest: twice.digest },
      [bare.order.id]: { deliveries: 1, effects: 0, dead: false, digest: bare.digest },
      [dead.order.id]: { deliveries: 0, effects: 0, dead: true },
    });
    expect(await look.trace(dead.order.id)).toMatchObject({
      ...{ partition: 3, offset: 7, deliveries: 0, handledMs: undefined },
      dead: { reason: "no milk", attempts: 10 },
    });
    expect(await look.trace(absent.order.id)).toBeUndefined();
  });

  test("one order's times, to the millisecond", async () => {
    const entry = entryOf("a", { partition: 2 });
    const beforeMs = Date.now();
    await ledger.record([entry], times(1));
    const trace = await look.trace(entry.order.id);
    expect(trace).toMatchObject({
      partition: 2,
      offset: entry.offset,
      deliveries: 1,
      effects: 1,
      dead: undefined,
    });
    expect(trace?.placedMs).toBe(Date.parse(entry.order.placedAt));
    expect(trace?.handledMs).toBeWithin(beforeMs, Date.now() + 1);
  });
});

test("an order with a row in each of two generations was handled twice, however often its effect was applied", async () => {
  const { url, look } = await kinds.postgres();
  const ledger = createLedger(url, { connections: 1, handlerTimeoutMs: 5_000 });
  await ledger.open(migrations);
  const [one, other] = [entryOf("a"), entryOf("b")];
  await ledger.record([one, other], times(1));
  await using sql = new SQL({ url, max: 1 });
  await sql.unsafe("CREATE TABLE ended (LIKE ledger INCLUDING DEFAULTS) INHERITS (ledger_past)");
  await sql`INSERT INTO ended SELECT * FROM ledger_current WHERE id = ${one.order.id}`;
  const found = await look.look([one.order.id, other.order.id]);
  expect(found.get(one.order.id)).toMatchObject({ deliveries: 2, effects: 2 });
  expect(found.get(other.order.id)).toMatchObject({ deliveries: 1, effects: 1 });
  await look.close();
  await ledger.close();
});

test("effects that are no longer remembered are counted all the same", async () => {
  const path = join(folder, `${crypto.randomUUID()}.sqlite`);
  const ledger = createLedger(`sqlite:${path}`, { connections: 1, handlerTimeoutMs: 5_000 });
  await ledger.open(migrations);
  const look = createSqliteLook(path, 2);
  const entries = Array.from({ length: 10 }, (_, n) => entryOf(`order ${n}`));
  const first = entries[0]?.order.id as string;
  for (const entry of entries) await ledger.record([entry], times(entry.order.id === first ? 2 : 1));
  expect((await look.look([first])).get(first)).toMatchObject({ effects: 2 });
  expect((await look.trace(first))?.effects).toBe(2);
  await look.close();
  await ledger.close();
});

test("a server that is away is told, and read again when it is back", async () => {
  const { url, look } = await kinds.postgres();
  const ledger = createLedger(url, { connections: 1, handlerTimeoutMs: 5_000 });
  await ledger.open(migrations);
  const entry = entryOf("a");
  await ledger.record([entry], times(1));
  await ledger.close();
  const isThere = () => look.look([entry.order.id]).then((found) => found.size === 1);
  expect(await isThere()).toBe(true);
  server.kill();
  await expect(isThere()).rejects.toThrow();
  server.start();
  await until("it is read again", () => isThere().catch(() => false));
  await look.close();
}, 120_000);

test("who may only read has the index made by the owner, and says what it lacks where nobody made it", async () => {
  const url = await server.newDatabase();
  const ledger = createLedger(url, { connections: 1, handlerTimeoutMs: 5_000 });
  await ledger.open(migrations);
  const entry = entryOf("a");
  await ledger.record([entry], times(1));
  await using owner = new SQL({ url, max: 1 });
  await owner.unsafe("CREATE ROLE reader LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader");
  const reading = { url: url.replace("postgres@", "reader@") };
  const alone = createPostgresLook(reading);
  await expect(alone.look([entry.order.id])).rejects.toThrow("must be owner of table");
  const look = createPostgresLook(reading, async () => ({ url }));
  expect((await look.look([entry.order.id])).size).toBe(1);
  expect((await look.trace(entry.order.id))?.effects).toBe(1);
  for (const one of [alone, look, ledger]) await one.close();
});
