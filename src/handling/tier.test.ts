/** A consumer on the mock cluster: what is handled, in which order, and when its offset is committed. */
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from "bun:test";
import { until } from "../../kit/until.ts";
import { type OrdersCluster, startOrdersCluster } from "../../testing/kafka.ts";
import {
  idOf,
  newPlace,
  type Place,
  recordOf,
  recordsOf,
  startTestConsumer,
} from "../../testing/test-consumer.ts";
import { partyOf } from "../order.ts";

setDefaultTimeout(120_000);

let cluster: OrdersCluster;
let place: Place;
beforeAll(() => {
  cluster = startOrdersCluster();
});
afterAll(() => cluster.close());
beforeEach(() => {
  place = newPlace(cluster);
});
afterEach(() => place[Symbol.dispose]());

describe("handled, and only then committed", () => {
  test("each order is handled once and found in the ledger; then its offset is committed", async () => {
    const records = recordsOf(200);
    await place.put(records);
    const handled: string[] = [];
    await using consumer = startTestConsumer(place.env, async ({ id }) => void handled.push(id));
    await place.commits(200);
    expect(handled.sort()).toEqual(records.map(idOf).sort());
    const answer = await consumer.request(`/orders/${handled[0]}`);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ id: handled[0], status: "handled", deliveries: 1 });
    expect(await consumer.metric("orders_handled_total")).toBe(200);
    expect(await consumer.metric("orders_redelivered_total")).toBe(0);
    expect((await consumer.request("/readyz")).status).toBe(200);
  });

  test("never past an unfinished record, whatever is finished behind it", async () => {
    await place.put(["a", "b", "c", "d", "e"].map((customer) => recordOf("1", { customer })));
    let fails = true;
    const env = { ...place.env, HANDLER_ATTEMPTS: "100" };
    await using consumer = startTestConsumer(env, async (order) => {
      if (partyOf(order) === "c" && fails) throw new Error("not yet");
    });
    await consumer.reaches("orders_handled_total", 4);
    await place.commits(2);
    await consumer.reaches("orders_retried_total", 5);
    expect(await place.committed()).toBe(2);
    fails = false;
    await place.commits(5);
  });

  test("not while the handler is still at it", async () => {
    await place.put([recordOf("1")]);
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    let begun = false;
    await using consumer = startTestConsumer(place.env, () => {
      begun = true;
      return released;
    });
    await until("the handler has begun", () => begun);
    expect(await place.committed()).toBe(0);
    expect(await consumer.metric("kafka_commits_total")).toBe(0);
    release();
    await place.commits(1);
  });

  test("lag, position and commits are told for each partition", async () => {
    await place.put(recordsOf(24));
    await using consumer = startTestConsumer(place.env);
    await consumer.reaches("orders_handled_total", 24);
    await consumer.reaches("kafka_partition_committed", 24);
    expect(await consumer.metric("kafka_partitions_owned")).toBe(12);
    await until("there is no lag", async () => (await consumer.metric("kafka_partition_lag_records")) === 0);
    expect(await consumer.metric("kafka_commit_failures_total")).toBe(0);
    const text = await (await consumer.request("/metrics")).text();
    expect(text).toMatch(/kafka_partition_position\{topic="[^"]+",partition="11",instance="[^"]+"\} 2\n/);
  });
});

test("one customer's orders are handled in order, different customers' side by side", async () => {
  const records = Array.from({ length: 120 }, (_, n) => recordOf(`${n}`, { customer: `c${n % 6}` }));
  const nth = new Map(records.map((record, n) => [idOf(record), Math.floor(n / 6)]));
  await place.put(records);
  const seen = new Map<string, Set<number>>();
  const busy = new Map<string, AbortSignal>();
  const wrong: string[] = [];
  let mostBusy = 0;
  await using consumer = startTestConsumer(place.env, async (order, { signal }) => {
    const customer = partyOf(order);
    const n = nth.get(order.id) as number;
    const ended = seen.get(customer) ?? new Set();
    // On a slow machine a batch's time is over, and it is begun again.
    if (busy.get(customer)?.aborted === false) wrong.push(`${customer}: ${n} beside another`);
    if (n > 0 && !ended.has(n - 1)) wrong.push(`${customer}: ${n} before ${n - 1}`);
    busy.set(customer, signal);
    mostBusy = Math.max(mostBusy, busy.size);
    await Bun.sleep(n % 3);
    seen.set(customer, ended.add(n));
    if (busy.get(customer) === signal) busy.delete(customer);
  });
  await consumer.reaches("orders_handled_total", 120);
  expect(wrong).toEqual([]);
  expect([...seen.values()].map(({ size }) => size)).toEqual(Array.from({ length: 6 }, () => 20));
  expect(mostBusy).toBeGreaterThan(1);
});

test("what piles up is bounded: a slow handler pauses the partition, not the membership", async () => {
  await place.put(recordsOf(2_500, 1, 1));
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  await using consumer = startTestConsumer({ ...place.env, BACKLOG_RECORDS: "50" }, () => released);
  await until("the partition is paused", async () =>
    /kafka_partition_paused\{[^}]*\} 1/.test(await (await consumer.request("/metrics")).text()),
  );
  // A poll takes up to 500 beyond the bound; the rest stays on the topic.
  const taken = await consumer.metric("kafka_partition_position");
  release();
  await consumer.reaches("orders_handled_total", 2_500);
  expect(taken).toBeLessThanOrEqual(550);
  await place.commits(2_500);
  expect(await consumer.metric("orders_redelivered_total")).toBe(0);
});

test("what waits is bounded by what the handler can take next, long before a partition is paused", async () => {
  await place.put(recordsOf(3_900, 10, 3));
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const env = { ...place.env, HANDLER_CONCURRENCY: "1", LEDGER_BATCH_ORDERS: "10" };
  await using consumer = startTestConsumer(env, () => released);
  const taken = () => consumer.metric("kafka_partition_position");
  await until("enough is in hand", async () => (await taken()) >= 30);
  const first = await taken();
  await until("it polls none the less", async () => (await taken()) >= first + 20);
  // A poll takes up to 500 beyond the bound, and after that one record at a time, fifty a second.
  expect(await taken()).toBeLessThanOrEqual(800);
  release();
  await consumer.reaches("orders_handled_total", 3_900);
});

test("a commit that the coordinator refuses is repeated, and nothing is handled again", async () => {
  const offsetCommit = 8;
  const coordinatorLoading = 14;
  cluster.pushRequestErrors(offsetCommit, [coordinatorLoading, coordinatorLoading]);
  await place.put(recordsOf(20));
  let handled = 0;
  await using consumer = startTestConsumer(place.env, async () => {
    handled += 1;
  });
  await place.commits(20);
  expect(handled).toBe(20);
  expect((await consumer.request("/livez")).status).toBe(200);
});

test("who ends before it came to the ledger does not say that this does its part", async () => {
  await using consumer = startTestConsumer({ ...place.env, ORDERS_TOPIC: "absent" });
  await until("it waits for the topic", () => consumer.unready()?.includes("does not exist") === true);
  await consumer.drain();
  expect(await consumer.metric("ledger_up")).toBe(0);
});
