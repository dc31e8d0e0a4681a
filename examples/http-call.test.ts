// The example in its place: a copy of the tree in which it is src/handle.ts, run as a consumer against a real HTTP
// server. What it says of itself is tested, and so is the consumer's side: deadline, abort signal, retries.
import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../kit/until.ts";
import { anOrder } from "../src/sample.ts";
import { orderId } from "../src/wire/order-id.ts";
import { type OrdersCluster, startOrdersCluster } from "../testing/kafka.ts";
import { startTier } from "../testing/tier-process.ts";

const root = join(import.meta.dir, "..");

type Call = { key: string | null; body: { id: string }; signal: AbortSignal };
let calls: Call[] = [];
let answer: (call: Call) => Response | Promise<Response>;
const silence = () => new Promise<never>(() => undefined);
const kitchen = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  idleTimeout: 0,
  async fetch(request) {
    const { headers, signal } = request;
    const call = {
      key: headers.get("idempotency-key"),
      body: (await request.json()) as { id: string },
      signal,
    };
    calls.push(call);
    return answer(call);
  },
});

let cluster: OrdersCluster;
let tree: string;
beforeAll(() => {
  cluster = startOrdersCluster();
  tree = mkdtempSync(join(tmpdir(), "coffee-orders-example-"));
  for (const part of ["src", "consumer.ts", "package.json"])
    cpSync(join(root, part), join(tree, part), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(tree, "node_modules"));
  const example = readFileSync(join(import.meta.dir, "http-call.ts"), "utf8").replaceAll("../src/", "./");
  writeFileSync(
    join(tree, "src", "handle.ts"),
    example.replace("http://127.0.0.1:9100/tickets", kitchen.url.href),
  );
});
beforeEach(() => {
  calls = [];
});
afterAll(async () => {
  await kitchen.stop(true);
  cluster.close();
  rmSync(tree, { recursive: true });
});

let topics = 0;
/** A topic and a ledger of its own for each test, and consumers on them. */
function setting(env: Record<string, string> = {}) {
  topics += 1;
  const name = `orders${topics}`;
  for (const topic of [name, `${name}.dead`])
    cluster.createTopic(topic, { partitions: 12, replicationFactor: 3 });
  const all = {
    ...cluster.env,
    ...{ ORDERS_TOPIC: name, DEAD_TOPIC: `${name}.dead`, CONSUMER_GROUP: name },
    ...{ LEDGER_URL: `sqlite:${join(tree, `${name}.sqlite`)}`, SESSION_TIMEOUT_MS: "6000", ...env },
  };
  return {
    consumer: () => startTier("consumer", all, tree),
    place: async (...customers: string[]) => {
      const ids = customers.map((customer, index) => orderId(customer, `${name} ${index}`));
      const values = customers.map((customer, index) =>
        JSON.stringify({
          ...{ ...anOrder, customer },
          ...{ id: ids[index], placedAt: new Date().toISOString() },
        }),
      );
      await cluster.put(
        name,
        values.map((value) => ({ value })),
      );
      return ids;
    },
    dead: () => cluster.read(`${name}.dead`),
  };
}

test("each order is a call with its id as the key, and is handled after a good answer", async () => {
  answer = () => new Response("cooking", { status: 201 });
  const { consumer, place } = setting();
  const ids = await place("a", "b", "a");
  await using running = consumer();
  await until("all are handled", async () => (await running.metric("orders_handled_total")) === 3, 30_000);
  expect(calls.map(({ key }) => key).sort()).toEqual([...ids].sort());
  expect(calls.map(({ body }) => body.id)).toEqual(calls.map(({ key }) => key as string));
  expect(await (await running.fetch(`/orders/${ids[0]}`)).json()).toMatchObject({ status: "handled" });
}, 120_000);

test("killed between the call and the commit: the call is repeated with the same key, and one row is written", async () => {
  answer = silence;
  const { consumer, place } = setting();
  const [id] = await place("a");
  {
    await using doomed = consumer();
    await until("the call is made", () => calls.length === 1, 30_000);
    expect((await doomed.fetch(`/orders/${id}`)).status).toBe(404);
  } // kill -9
  answer = () => new Response("cooking already");
  await using heir = consumer();
  await until("it is handled", async () => (await heir.metric("orders_handled_total")) === 1, 30_000);
  expect(calls.map(({ key }) => key)).toEqual([id, id] as string[]);
  expect(await (await heir.fetch(`/orders/${id}`)).json()).toMatchObject({
    status: "handled",
    deliveries: 1,
  });
}, 120_000);

test("no answer in time: the call is aborted and made again, and after the last attempt the order is dead; others go on", async () => {
  answer = ({ body }) => (body.id === stuck ? silence() : new Response("cooking"));
  const { consumer, place, dead } = setting({
    HANDLER_TIMEOUT_MS: "300",
    HANDLER_ATTEMPTS: "3",
    RETRY_BASE_MS: "10",
  });
  const [stuck] = await place("a", "b", "c", "a");
  await using running = consumer();
  await until(
    "the others are handled",
    async () => (await running.metric("orders_handled_total")) === 3,
    30_000,
  );
  await until("the stuck one is dead", async () => (await running.metric("orders_dead_total")) === 1, 30_000);
  const stuckCalls = calls.filter(({ key }) => key === stuck);
  await until("every such call is aborted", () => stuckCalls.every(({ signal }) => signal.aborted));
  const [letter, ...more] = await dead();
  expect(more).toEqual([]);
  expect(letter?.headers).toMatchObject({
    "dead.reason": "TimeoutError: not handled within 300 ms",
    "dead.attempts": "3",
  });
  // One customer's orders stay in order: the second of customer a is called only after the first was given up.
  expect(calls.map(({ key }) => key).lastIndexOf(stuck as string)).toBe(calls.length - 2);
}, 120_000);

test("a kitchen that is busy costs no attempt: the order is tried again later and handled", async () => {
  answer = () =>
    calls.length < 3 ? new Response("the oven is cold", { status: 503 }) : new Response("cooking");
  const { consumer, place } = setting({ RETRY_BASE_MS: "10", HANDLER_ATTEMPTS: "1" });
  await place("a");
  await using running = consumer();
  await until("it is handled", async () => (await running.metric("orders_handled_total")) === 1, 30_000);
  expect(calls).toHaveLength(3);
  expect(await running.metric("orders_retried_total")).toBe(2);
}, 120_000);

test("a refusal is final: a dead letter at once, with the reason", async () => {
  answer = () => new Response("no such coffee", { status: 422 });
  const { consumer, place, dead } = setting();
  await place("a");
  await using running = consumer();
  await until("it is dead", async () => (await running.metric("orders_dead_total")) === 1, 30_000);
  expect(calls).toHaveLength(1);
  const [letter] = await dead();
  expect(letter?.headers).toMatchObject({
    "dead.reason": "Reject: the kitchen answered 422",
    "dead.attempts": "1",
  });
}, 120_000);
