// What a consumer promises when a handler fails, hangs or is slow: attempts that end, nobody else held up, the group
// never left waiting. On the mock cluster, which speaks the group protocol.
import { afterAll, afterEach, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { until } from "../../kit/until.ts";
import { viewOf } from "../../testing/entries.ts";
import { type OrdersCluster, startOrdersCluster } from "../../testing/kafka.ts";
import { startPostgres } from "../../testing/postgres.ts";
import {
  idOf,
  needlesslyRedelivered,
  newPlace,
  type Place,
  recordOf,
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

/** Puts an order of each customer on one partition, in this order. @returns their ids */
async function order(customers: string[]): Promise<string[]> {
  const records = customers.map((customer, n) => recordOf(`${n}`, { customer }));
  await place.put(records);
  return records.map(idOf);
}
const customers = (count: number, name: string) => Array.from({ length: count }, (_, n) => `${name}${n}`);
const sour = new Error("the milk is sour");

test("a failing order has its attempts, then is a dead letter; only then comes its customer's next", async () => {
  const [failing = "", next = ""] = await order(["a", "a", "b"]);
  const calls: string[] = [];
  const told: string[] = [];
  await using consumer = startTestConsumer(
    { ...place.env, HANDLER_ATTEMPTS: "3" },
    async ({ id }, { attempt }) => {
      calls.push(`${id} ${attempt}`);
      // Also while it is tried again its look-up says what is known of it.
      if (attempt > 1) told.push(JSON.parse(await (await consumer.request(`/orders/${id}`)).text()).status);
      if (id === failing) throw sour;
    },
  );
  await place.commits(3);
  const ofCustomer = calls.filter((call) => call.startsWith(failing) || call.startsWith(next));
  expect(ofCustomer.slice(-3)).toEqual([`${failing} 2`, `${failing} 3`, `${next} 1`]);
  expect(told).toEqual(["waiting", "waiting"]);
  expect(await consumer.metric("orders_retried_total")).toBe(2);
  expect(await consumer.metric("orders_handled_total")).toBe(2);
  const [letter, ...more] = await place.letters();
  expect(more).toEqual([]);
  expect(letter?.headers).toMatchObject({ "dead.reason": "Error: the milk is sour", "dead.attempts": "3" });
  expect(await viewOf(consumer.ledger, failing)).toMatchObject({ status: "dead", attempts: 3 });
});

test("a failing order is not tried again beyond its time; where nothing is handled that goes for one, the others wait", async () => {
  await order(["a", "b", "c"]);
  let calls = 0;
  const limits = {
    HANDLER_ATTEMPTS: "100",
    RETRY_BASE_MS: "60000",
    RETRY_MAX_MS: "60000",
    RETRY_TIMEOUT_MS: "0",
  };
  await using consumer = startTestConsumer({ ...place.env, ...limits }, async () => {
    calls += 1;
    throw sour;
  });
  await consumer.reaches("orders_dead_total", 1);
  await consumer.reaches("orders_waiting", 2);
  expect(calls).toBe(3);
});

test("a handler that hangs is told so at its deadline and left behind; others go on", async () => {
  await order(["a", ...customers(20, "c")]);
  const signals: AbortSignal[] = [];
  const limits = { HANDLER_TIMEOUT_MS: "1000", HANDLER_ATTEMPTS: "2" };
  await using consumer = startTestConsumer({ ...place.env, ...limits }, async (order, { signal }) => {
    if (partyOf(order) !== "a") return;
    signals.push(signal);
    await new Promise(() => undefined);
  });
  await consumer.reaches("orders_handled_total", 20);
  await consumer.reaches("orders_dead_total", 1);
  expect(signals.map(({ aborted }) => aborted)).not.toContain(false);
  expect(signals.at(-1)?.reason.message).toBe("not handled within 1000 ms");
  await place.commits(21);
});

test("a slow handler, 1 s an order: beyond its backlog the partition is paused, and the group never waits", async () => {
  // Its transactions run side by side; a SQLite file takes one after another.
  using postgres = startPostgres();
  const slow = customers(24, "s");
  await order(slow);
  let calls = 0;
  const handle = async (_: unknown, { signal }: { signal: AbortSignal }) => {
    await Bun.sleep(1_000);
    // The first attempts share a second, which is too short for them: they are broken off and go alone.
    if (!signal.aborted) calls += 1;
  };
  const slowly = { ...place.env, LEDGER_URL: postgres.url, BACKLOG_RECORDS: "4", HANDLER_CONCURRENCY: "6" };
  await using consumer = startTestConsumer(slowly, handle);
  await until("the partition is paused", async () =>
    /kafka_partition_paused\{.*partition="0".*\} 1\n/.test(await (await consumer.request("/metrics")).text()),
  );
  // Only a member that goes on polling gives a newcomer its share; two rounds of the mock's slow agreement.
  await using newcomer = startTestConsumer(slowly, handle);
  await newcomer.reaches("kafka_partitions_owned", 6);
  expect(consumer.unready()).toBeUndefined();
  await place.commits(slow.length);
  const both = async (name: string) => (await consumer.metric(name)) + (await newcomer.metric(name));
  expect(await both("orders_handled_total")).toBe(slow.length);
  expect(await needlesslyRedelivered(consumer, newcomer)).toBe(0);
  expect(await both("orders_dead_total")).toBe(0);
  expect(calls).toBe(slow.length);
});

test("a handler may throw at once, give what begins only when it is waited for, or hand on a copy of its context", async () => {
  const ids = await order(["a", "b"]);
  const began: string[] = [];
  const told: unknown[] = [];
  await using consumer = startTestConsumer(place.env, (placed, context) => {
    const { signal, attempt, tx } = { ...context };
    told.push([signal.aborted, attempt, tx === context.tx]);
    if (attempt === 1) throw sour;
    // As query builders give it: no promise, and nothing happens before `then` is called.
    const lazy = {
      // biome-ignore lint/suspicious/noThenProperty: that is what is tested
      then(done: (nothing: undefined) => void) {
        began.push(placed.id);
        done(undefined);
      },
    };
    return lazy as unknown as Promise<void>;
  });
  await place.commits(2);
  expect(began.sort()).toEqual(ids.sort());
  expect(told).toContainEqual([false, 2, true]);
  expect(await consumer.metric("orders_handled_total")).toBe(2);
});
