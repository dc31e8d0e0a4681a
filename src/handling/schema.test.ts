/** A consumer whose database does not fit it: it says so and handles nothing, until somebody has put that right. */
import { Database } from "bun:sqlite";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { SQL } from "bun";
import { comesTrue, until } from "../../kit/until.ts";
import { type OrdersCluster, startOrdersCluster } from "../../testing/kafka.ts";
import { startPostgres } from "../../testing/postgres.ts";
import { newPlace, recordsOf, startTestConsumer } from "../../testing/test-consumer.ts";

let cluster: OrdersCluster;
beforeAll(() => {
  cluster = startOrdersCluster();
});
afterAll(() => cluster[Symbol.dispose]());

test("an older table is the reason of being unready, no order dies of it, and all are handled once it fits", async () => {
  using place = newPlace(cluster);
  using database = new Database(place.env.LEDGER_URL.slice("sqlite:".length), { create: true });
  database.run("CREATE TABLE ledger (id TEXT PRIMARY KEY, customer TEXT NOT NULL)");
  await place.put(recordsOf(20));
  await using consumer = startTestConsumer(place.env);
  await until("the consumer says what is wrong", () =>
    consumer.unready()?.includes("ledger.digest is missing"),
  );
  expect(await consumer.metric("orders_handled_total")).toBe(0);
  expect(await place.letters()).toEqual([]);
  database.run("DROP TABLE ledger");
  await place.commits(20);
  expect(consumer.unready()).toBeUndefined();
  expect(await consumer.metric("orders_handled_total")).toBe(20);
  expect(await place.letters()).toEqual([]);
}, 120_000);

test("who waits for another's migration is drained when it is told to, not when that ends", async () => {
  using place = newPlace(cluster);
  using postgres = startPostgres();
  await using sql = new SQL({ url: postgres.url, max: 1 });
  await sql.begin(async (migrating) => {
    await migrating`SELECT pg_advisory_xact_lock(727001)`;
    const consumer = startTestConsumer({ ...place.env, LEDGER_URL: postgres.url });
    await until("it waits", async () => {
      const waiting = await migrating`SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`;
      return waiting.length > 0;
    });
    let drained = false;
    void consumer.drain().finally(() => {
      drained = true;
    });
    expect(await comesTrue(() => drained, 20_000)).toBe(true);
  });
}, 120_000);
