// What a consumer promises when something else fails it: the ledger, the dead-letter topic, its own time. Nothing is
// lost or done twice, nobody is blamed, and the group is not left waiting. On the mock cluster, PostgreSQL is real.
import { afterAll, afterEach, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { SQL } from "bun";
import { until } from "../../kit/until.ts";
import { type OrdersCluster, startOrdersCluster } from "../../testing/kafka.ts";
import { type PostgresServer, startPostgres } from "../../testing/postgres.ts";
import {
  idOf,
  newPlace,
  type Place,
  recordOf,
  recordsOf,
  startTestConsumer,
} from "../../testing/test-consumer.ts";
import { startTier } from "../../testing/tier-process.ts";
import { effectTable } from "../handle.ts";

setDefaultTimeout(120_000);

let cluster: OrdersCluster;
let postgres: PostgresServer;
let place: Place;
beforeAll(() => {
  cluster = startOrdersCluster();
  postgres = startPostgres();
});
afterAll(() => {
  cluster.close();
  postgres[Symbol.dispose]();
});
beforeEach(() => {
  place = newPlace(cluster);
});
afterEach(() => place[Symbol.dispose]());

test("a ledger that is down: no rebalance, no attempt counted, and the backlog drains when it is back", async () => {
  const outageMs = 4_000;
  const env = { ...place.env, LEDGER_URL: postgres.url, HANDLER_ATTEMPTS: "1", BACKLOG_RECORDS: "100" };
  await using consumer = startTestConsumer(env);
  await place.put(recordsOf(100));
  await consumer.reaches("orders_handled_total", 100);
  const rebalances = await consumer.metric("kafka_rebalances_total");

  postgres.kill();
  const downAtMs = performance.now();
  await place.put(
    recordsOf(4_000).map((record, n) => recordOf(`during ${n}`, { partition: record.partition ?? 0 })),
  );
  await until("the ledger is known to be down", async () => (await consumer.metric("ledger_up")) === 0);
  await until("a partition is paused", async () => (await consumer.metric("kafka_partition_paused")) > 0);
  await until("the outage has lasted", () => performance.now() - downAtMs > outageMs);
  expect(consumer.unready()).toBeUndefined();
  expect(await consumer.metric("orders_handled_total")).toBe(100);

  postgres.start();
  await place.commits(4_100);
  expect(await consumer.metric("orders_handled_total")).toBe(4_100);
  expect(await consumer.metric("orders_retried_total")).toBe(0);
  expect(await consumer.metric("orders_dead_total")).toBe(0);
  expect(await consumer.metric("kafka_rebalances_total")).toBe(rebalances);
});

test("a dead-letter topic out of reach holds up no order; when it is back, the letters go, and then the commit", async () => {
  const everyPartition = Array.from({ length: 12 }, (_, partition) => partition);
  for (const partition of everyPartition) cluster.setPartitionLeader(place.deadTopic, partition, -1);
  // More of them than batches at once.
  await place.put([
    ...everyPartition.map((partition) => ({ partition, value: "nobody can read this" })),
    ...recordsOf(120),
  ]);
  await using consumer = startTestConsumer({
    ...place.env,
    HANDLER_CONCURRENCY: "2",
    LEDGER_BATCH_ORDERS: "5",
  });
  await consumer.reaches("orders_handled_total", 120);
  expect(await place.committed()).toBe(0);
  for (const partition of everyPartition)
    cluster.setPartitionLeader(place.deadTopic, partition, 1 + (partition % 3));
  await consumer.reaches("orders_dead_total", 12);
  await place.commits(132);
  expect((await place.letters()).length).toBeGreaterThanOrEqual(12);
});

test("what holds it up is told: letters for as long as they are held, and after a minute the ledger", async () => {
  cluster.setPartitionLeader(place.deadTopic, 0, -1);
  await place.put([{ value: "nobody can read this" }]);
  await using consumer = startTestConsumer(place.env);
  await until("it is told", () => consumer.unready()?.startsWith("1 dead letters are held"));

  using otherPlace = newPlace(cluster);
  await using other = startTestConsumer({ ...otherPlace.env, LEDGER_URL: postgres.url });
  await until("the other is ready", () => other.unready() === undefined);
  postgres.kill();
  await otherPlace.put([recordOf("1")]);
  const stillFor = /^no order was finished for \d+ s: the ledger is unavailable: ./;
  await until("the ledger is named", () => stillFor.test(other.unready() ?? ""), 90_000);
  // Nor was anything finished by the first one in this minute, of which more is known.
  expect(consumer.unready()).toStartWith("1 dead letters are held");

  cluster.setPartitionLeader(place.deadTopic, 0, 1);
  postgres.start();
  await until("it is ready", () => consumer.unready() === undefined);
  await until("the other is ready again", () => other.unready() === undefined);
});

const nothing = async (): Promise<void> => undefined;
test.each([
  ["an apply", { apply: nothing }],
  ["an effect", { effect: nothing }],
])(
  "orders of %s whose rows somebody keeps wait out of the way: the others of their batch and all that come are done with",
  async (_, handler) => {
    const url = await postgres.newDatabase();
    const env = { ...place.env, LEDGER_URL: url, HANDLER_ATTEMPTS: "1" };
    await using consumer = startTestConsumer(env, handler);
    await place.put([recordOf("first")]);
    await consumer.reaches("orders_handled_total", 1);
    const [alone, among] = [recordOf("alone", { customer: "kept" }), recordOf("among", { customer: "too" })];
    const others = recordsOf(200, 40);
    await using sql = new SQL({ url, max: 2 });
    // So that each try ends soon, and not after the 15 s of the ledger's own statements.
    await sql.unsafe(`CREATE FUNCTION hurry() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN SET LOCAL lock_timeout = 50; RETURN NULL; END $$;
      CREATE TRIGGER hurry BEFORE INSERT ON ledger_current EXECUTE FUNCTION hurry()`);
    await sql
      .begin(async (keeper) => {
        for (const kept of [alone, among])
          await keeper`INSERT INTO ledger_current (id, customer, digest, "partition", "offset", placed_at)
            VALUES (${idOf(kept)}, '', '', 0, 0, now())`;
        await place.put([alone]);
        await until("the first one waits", async () => (await consumer.metric("ledger_up")) === 0);
        await place.put([among, ...others]);
        await consumer.reaches("orders_handled_total", 201);
        for (let n = 0; n < 5; n += 1) {
          await place.put(recordsOf(40, 40));
          await consumer.reaches("orders_handled_total", 241 + 40 * n);
        }
        throw new Error("given up");
      })
      .catch(({ message }) => expect(message).toBe("given up"));
    await place.commits(403);
    expect(await consumer.metric("orders_dead_total")).toBe(0);
  },
);

test("partitions are given up only after what runs has ended, and it is not told to stop before its time", async () => {
  await place.put([recordOf("1")]);
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  let signal: AbortSignal | undefined;
  const consumer = startTestConsumer(place.env, async (_, context) => {
    signal = context.signal;
    await released;
  });
  await until("the handler has begun", () => signal);
  const drained = consumer.drain();
  await until(
    "the group demands the partitions back",
    async () => (await consumer.metric("kafka_rebalances_total")) === 2,
  );
  expect(await consumer.metric("kafka_partitions_owned")).toBe(12);
  expect(signal?.aborted).toBe(false);
  release();
  await drained;
  expect(await place.committed()).toBe(1);
});

test("what does not end in the time that a hand-over has is told to stop, and the hand-over goes on", async () => {
  await place.put([recordOf("1")]);
  let signal: AbortSignal | undefined;
  const consumer = startTestConsumer({ ...place.env, HANDLER_TIMEOUT_MS: "60000" }, async (_, context) => {
    signal = context.signal;
    await new Promise(() => undefined);
  });
  await until("the handler has begun", () => signal);
  const stopped = until("the handler is told to stop", () => signal?.aborted);
  void consumer.drain();
  await stopped;
  await until(
    "the partitions are let go",
    async () => (await consumer.metric("kafka_partitions_owned")) === 0,
  );
  expect(await place.committed()).toBe(0);
});

test("a member frozen in the middle of a transaction, past its session: others take over, it wakes, nothing is done twice", async () => {
  const env = {
    ...place.env,
    LEDGER_URL: postgres.url,
    HANDLER_TIMEOUT_MS: "3000",
    SESSION_TIMEOUT_MS: "6000",
  };
  await using doomed = startTier("consumer", { ...env, INSTANCE: "doomed" });
  await doomed.ready();
  await until("it owns all", async () => (await doomed.metric("kafka_partitions_owned")) === 12);
  const records = recordsOf(60);
  const ids = records.map(idOf);
  await using sql = new SQL({ url: postgres.url, max: 2 });
  // Its effects have to wait: so it is frozen with ledger rows written and not committed.
  await sql.begin(async (lock) => {
    await lock`LOCK TABLE ${lock(effectTable ?? "")} IN ACCESS EXCLUSIVE MODE`;
    await place.put(records);
    await until("it waits inside its transaction", async () => {
      const [row] = await sql`SELECT count(*)::int AS n FROM pg_locks WHERE NOT granted`;
      return row.n > 0;
    });
    doomed.signal("SIGSTOP");
  });

  await using heir = startTier("consumer", { ...env, INSTANCE: "heir" });
  await place.commits(60);
  expect(await heir.metric("orders_handled_total")).toBe(60);
  expect(await heir.metric("kafka_partitions_owned")).toBe(12);

  doomed.signal("SIGCONT");
  await until(
    "the woken one has its share",
    async () => (await doomed.metric("kafka_partitions_owned")) === 6,
  );
  const more = recordsOf(60).map((_, n) => recordOf(`after ${n}`, { partition: n % 12 }));
  await place.put(more);
  await place.commits(120);
  const written =
    await sql`SELECT order_id, count(*)::int AS n FROM ${sql(effectTable ?? "")} WHERE order_id IN ${sql([...ids, ...more.map(idOf)])}
    GROUP BY order_id`;
  expect(written).toHaveLength(120);
  expect(Math.max(...written.map(({ n }: { n: number }) => n))).toBe(1);
  expect(await doomed.metric("orders_dead_total")).toBe(0);
});

test("a letter that is acknowledged waits no longer, also while the ledger that is to note it is down", async () => {
  await using consumer = startTestConsumer({ ...place.env, LEDGER_URL: postgres.url });
  await place.put(recordsOf(1));
  await consumer.reaches("orders_handled_total", 1);
  postgres.kill();
  try {
    await place.put([{ value: "no order" }]);
    await until("the letter is there", async () => (await place.letters()).length === 1);
    await until("the ledger is known to be down", async () => (await consumer.metric("ledger_up")) === 0);
    expect(await consumer.metric("letters_waiting")).toBe(0);
  } finally {
    postgres.start();
  }
  await consumer.reaches("orders_dead_total", 1);
});
