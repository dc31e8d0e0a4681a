/**
 * Consumers that come, go and die. On the mock cluster a rebalance takes nearly as long as a session, so these tests
 * wait side by side, each with topics, a group and a ledger of its own.
 */

import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { until } from "../../kit/until.ts";
import { type OrdersCluster, startOrdersCluster } from "../../testing/kafka.ts";
import {
  idOf,
  needlesslyRedelivered,
  newPlace,
  type Place,
  recordOf,
  recordsOf,
  startTestConsumer,
  type TestConsumer,
  temporaryLedger,
  wereThrownOut,
} from "../../testing/test-consumer.ts";
import { startTier } from "../../testing/tier-process.ts";
import { effectTable } from "../handle.ts";

setDefaultTimeout(120_000);

const waitMs = 90_000;
let cluster: OrdersCluster;
beforeAll(() => {
  cluster = startOrdersCluster();
});
afterAll(() => cluster.close());

/** How often each order's effect is there: its table has no unique key. */
function effects(place: Place): Map<string, number> {
  const database = new Database(place.env.LEDGER_URL.replace("sqlite:", ""), { readonly: true });
  const rows = database.query<{ id: string; n: number }, []>(
    `SELECT order_id AS id, count(*) AS n FROM ${effectTable} GROUP BY order_id`,
  );
  const found = new Map(rows.all().map(({ id, n }) => [id, n]));
  database.close();
  return found;
}

/** The partitions that a consumer owns, by its metrics. */
async function ownedBy(consumer: TestConsumer): Promise<number[]> {
  const text = await (await consumer.request("/metrics")).text();
  return [...text.matchAll(/^kafka_partition_paused\{[^}]*partition="(\d+)"/gm)].map(([, number]) =>
    Number(number),
  );
}

describe.concurrent("a hand-over", () => {
  test("SIGTERM: everything handled is committed, and the next consumer meets nothing again", async () => {
    using place = newPlace(cluster);
    await place.put(recordsOf(500));
    await using first = startTier("consumer", { ...place.env, SESSION_TIMEOUT_MS: "6000" });
    await until("some are handled", async () => (await first.metric("orders_handled_total")) > 0, waitMs);
    first.signal("SIGTERM");
    expect(await first.exited).toBe(0);
    expect(first.stderr()).toBe("");
    expect(await place.committed()).toBe(effects(place).size);

    await place.put(recordsOf(100).map((_, n) => recordOf(`later ${n}`, { partition: n % 12 })));
    await using second = startTier("consumer", { ...place.env, SESSION_TIMEOUT_MS: "6000" });
    await until("all are committed", async () => (await place.committed()) === 600, waitMs);
    expect(await second.metric("orders_redelivered_total")).toBe(0);
    expect([...effects(place).values()]).toEqual(Array.from({ length: 600 }, () => 1));
  });

  test("in the middle of a backlog: what was handled ahead of others is committed too", async () => {
    using place = newPlace(cluster);
    const count = 200;
    await place.put(recordsOf(count, 50));
    let begun = 0;
    const { promise: some, resolve: someDone } = Promise.withResolvers<void>();
    // A customer's orders go together, though others' lie between them.
    const oneByOne = { ...place.env, HANDLER_CONCURRENCY: "1", LEDGER_BATCH_ORDERS: "10" };
    const consumer = startTestConsumer(oneByOne, async () => {
      begun += 1;
      if (begun > count / 10) await Bun.sleep(1);
      if (begun === count / 10) someDone();
    });
    await some;
    await consumer.drain();
    const handled = await consumer.metric("orders_handled_total");
    await using next = startTestConsumer(place.env);
    await place.commits(count);
    expect(await next.metric("orders_handled_total")).toBe(count - handled);
    expect(await next.metric("orders_redelivered_total")).toBe(0);
  });

  test("a partition that was paused when it was given up is read again when it comes back", async () => {
    using place = newPlace(cluster);
    await place.put(recordsOf(48, 48));
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    await using first = startTestConsumer({ ...place.env, BACKLOG_RECORDS: "1" }, () => gate);
    await first.reaches("kafka_partition_paused", 12, waitMs);
    // A ledger of its own: the first one holds its file in the transaction that waits for the gate.
    using other = temporaryLedger();
    const second = startTestConsumer({ ...place.env, LEDGER_URL: other.url });
    await first.reaches("kafka_rebalances_total", 2, waitMs);
    open();
    await until("both have a share", async () => (await ownedBy(second)).length === 6, waitMs);
    await second.drain();
    await until("the first has all again", async () => (await ownedBy(first)).length === 12, waitMs);
    await place.put(recordsOf(12, 12));
    await until("all are committed", async () => (await place.committed()) === 60, waitMs);
  });

  test("kill -9 in the middle of a handler, and of nothing less: delivered again, and the effect is there once", async () => {
    using place = newPlace(cluster);
    const records = recordsOf(10, 1, 1);
    await place.put(records);
    await using dying = startTier("testing/hanging-consumer", {
      ...place.env,
      SESSION_TIMEOUT_MS: "6000",
    });
    await until("a handler has begun", () => dying.log.some(({ msg }) => msg === "hanging"), waitMs);
    // The effect is written, but not committed: neither here nor there.
    expect(await place.committed()).toBe(0);
    dying.signal("SIGKILL");
    await dying.exited;

    await using next = startTier("consumer", { ...place.env, SESSION_TIMEOUT_MS: "6000" });
    await until("all are committed", async () => (await place.committed()) === 10, waitMs);
    expect(await next.metric("orders_handled_total")).toBe(10);
    expect(effects(place)).toEqual(new Map(records.map((record) => [idOf(record), 1])));
  });

  test("a death between the ledger's commit and Kafka's: redelivered, counted, and nothing applied again", async () => {
    using place = newPlace(cluster);
    const [record = recordOf("")] = recordsOf(1, 1, 1);
    await place.put([record]);
    const first = startTestConsumer(place.env);
    await place.commits(1);
    await first.drain();
    // What a consumer leaves that dies there: the row is in the ledger, the group stands before the record.
    const group = { ...place.env, CONSUMER_GROUP: `${place.topic}-anew` };
    let effects = 0;
    await using second = startTestConsumer(group, async () => {
      effects += 1;
    });
    await second.reaches("orders_redelivered_total", 1, waitMs);
    expect(effects).toBe(0);
    const answer = await second.request(`/orders/${idOf(record)}`);
    expect(await answer.json()).toMatchObject({ status: "handled", deliveries: 2 });
  });

  test("two share the partitions, one leaves: nobody handles anything twice", async () => {
    using place = newPlace(cluster);
    let sent = 0;
    const send = async (count: number) => {
      await place.put(Array.from({ length: count }, () => recordOf(`${++sent}`, { partition: sent % 12 })));
    };
    await using stays = startTestConsumer(place.env);
    await stays.reaches("kafka_partitions_owned", 12, waitMs);
    const leaves = startTestConsumer(place.env);
    await until(
      "they share, while orders come",
      async () => {
        await send(24);
        return (
          (await leaves.metric("kafka_partitions_owned")) === 6 &&
          (await stays.metric("kafka_partitions_owned")) === 6
        );
      },
      waitMs,
    );
    await send(120);
    await leaves.reaches("orders_handled_total", 1, waitMs);
    const drained = leaves.drain();
    await until(
      "the other has all, while orders come",
      async () => {
        await send(24);
        return (await stays.metric("kafka_partitions_owned")) === 12;
      },
      waitMs,
    );
    await drained;
    await until("all are committed", async () => (await place.committed()) === sent, waitMs);
    const both = async (name: string) => (await stays.metric(name)) + (await leaves.metric(name));
    expect(await both("orders_handled_total")).toBe(sent);
    expect(await needlesslyRedelivered(stays, leaves)).toBe(0);
    expect(await both("orders_duplicate_total")).toBe(0);
    expect(await place.letters()).toEqual([]);
  });

  test("who leaves gives up a partition only when the work on it is done and committed", async () => {
    using place = newPlace(cluster);
    await using stays = startTestConsumer(place.env);
    await stays.reaches("kafka_partitions_owned", 12, waitMs);
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    let begun = 0;
    // No `apply`: SQLite's has a second.
    const effect = async () => {
      begun += 1;
      await released;
    };
    const leaves = startTestConsumer(place.env, { effect });
    await leaves.reaches("kafka_partitions_owned", 6, waitMs);
    await until(
      "both have their share",
      async () => (await stays.metric("kafka_partitions_owned")) === 6,
      waitMs,
    );
    const [own = 0] = await ownedBy(leaves);
    await place.put([recordOf("1", { partition: own })]);
    await until("its handler has begun", () => begun > 0);

    const before = await leaves.metric("kafka_rebalances_total");
    const drained = leaves.drain();
    await leaves.reaches("kafka_rebalances_total", before + 1); // everything is to be given up
    await until("nothing is given up yet", async () => (await leaves.metric("kafka_partitions_owned")) === 6);
    expect(await place.committed()).toBe(0);
    release();
    await drained;
    const committed = (await wereThrownOut(leaves)) ? 1 : await place.committed();
    expect(committed).toBe(1);
    await stays.reaches("kafka_partitions_owned", 12, waitMs);
    expect([begun, await leaves.metric("orders_handled_total")]).toEqual([1, 1]);
    expect(await needlesslyRedelivered(leaves, stays)).toBe(0);
  });

  test("letters that can't be sent hold up neither the drain nor the group for long", async () => {
    using place = newPlace(cluster);
    cluster.setPartitionLeader(place.deadTopic, 0, -1);
    await place.put([{ value: "x" }]);
    const consumer = startTestConsumer(place.env);
    await until(
      "it is taken on",
      async () => (await consumer.metric("kafka_partition_position")) === 1,
      waitMs,
    );
    await consumer.drain();
    expect(await place.committed()).toBe(0);
  });
});
