/** What a client is told of an order. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { Registry } from "prom-client";
import { until } from "../../kit/until.ts";
import { fixedPort } from "../../testing/balancer.ts";
import { entryOf } from "../../testing/entries.ts";
import { connectHttp, httpRequest } from "../../testing/http-connection.ts";
import { temporaryLedger } from "../../testing/test-consumer.ts";
import { dayMs } from "../config.ts";
import { serve } from "../http/server.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { createLedger } from "../ledger/open.ts";
import { realClock } from "../runtime/clock.ts";
import { createLogger } from "../runtime/log.ts";
import { orderId } from "../wire/order-id.ts";
import { createHandlingApp } from "./app.ts";

const retrying = "aaaaaaaa-6ad9-8a04-b1ce-b0407a8ec501";
let file: ReturnType<typeof temporaryLedger>;
let ledger: Ledger;
let unready: string | undefined;
let committedOffset: number | undefined;
let queries: string[][];
let get: (path: string, prefer?: string, principal?: string) => Promise<Response>;
let listen: (port: number) => ReturnType<typeof serve>;
beforeEach(async () => {
  file = temporaryLedger();
  ledger = createLedger(file.url, { connections: 1, handlerTimeoutMs: 1_000 });
  await ledger.open([]);
  unready = undefined;
  const log = createLogger("test", { INSTANCE: "test", LOG_LEVEL: "silent" });
  committedOffset = undefined;
  queries = [];
  const app = createHandlingApp({
    ledger: {
      ...ledger,
      find(ids) {
        queries.push([...ids]);
        return ledger.find(ids);
      },
    },
    unready: () => unready,
    committed: async () => committedOffset,
    waiting: (id) =>
      id === retrying
        ? ({ attempts: 2, notBeforeMs: realClock.nowMs() + 60_000, reason: "sour" } as never)
        : undefined,
    registry: new Registry(),
    log,
  });
  get = async (path, prefer, principal) =>
    app.request(path, {
      headers: { ...(prefer && { prefer }), ...(principal && { "order-principal": principal }) },
    });
  listen = (port) => serve(app, { HTTP_HOST: "127.0.0.1", HTTP_PORT: port }, log);
});
afterEach(async () => {
  await ledger.close();
  file[Symbol.dispose]();
});

test("a handled order: when, where, how often delivered", async () => {
  const entry = entryOf("c1");
  const { id } = entry.order;
  await ledger.record([entry], async () => {});
  const answer = await get(`/orders/${id}`);
  expect(answer.status).toBe(200);
  expect(await answer.json()).toEqual({
    id,
    status: "handled",
    handledAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    deliveries: 1,
    partition: entry.partition,
    offset: entry.offset,
  });
  expect((await get(`/orders/${id.toUpperCase()}`)).status).toBe(200);
});

test("a dead letter: why", async () => {
  const { id } = entryOf("c1").order;
  const burial = { topic: "orders", partition: 0, offset: 1, orderId: id, reason: "sour milk", attempts: 5 };
  await ledger.bury(burial);
  expect(await (await get(`/orders/${id}`)).json()).toMatchObject({
    id,
    status: "dead",
    reason: "sour milk",
    attempts: 5,
  });
});

test.each([
  ["an order that was never handled", "b98a142b-6ad9-8a04-b1ce-b0407a8ec501"],
  ["a number", "42"],
  ["a NUL", "%00"],
  ["a piece of SQL", "' OR 1=1 --"],
  ["a long text", "x".repeat(10_000)],
])("%s is not there", async (_, id) => {
  const answer = await get(`/orders/${id}`);
  expect(answer.status).toBe(404);
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  expect(await answer.json()).toMatchObject({ type: "urn:problem-type:coffee-orders:not_found" });
});

test("an order of another principal's is not known, whatever became of it, and nothing is asked or waited for", async () => {
  const at = "?partition=0&offset=7";
  committedOffset = 0;
  const [handled, dead, toCome] = ["handled", "dead", "to come"].map((key) => orderId("c1", key, "acme"));
  const entry = entryOf("c1");
  await ledger.record([{ ...entry, order: { ...entry.order, id: handled as string } }], async () => {});
  const place = { topic: "orders", partition: 0, offset: 3 };
  await ledger.bury({ ...place, orderId: dead as string, reason: "sour", attempts: 1 });
  const statusOf = async (answer: Response) => ((await answer.json()) as { status: string | number }).status;
  for (const [id, status] of [
    [handled, "handled"],
    [dead, "dead"],
    [toCome, "accepted"],
  ]) {
    expect(await statusOf(await get(`/orders/${id}${at}`, undefined, "acme"))).toBe(status as string);
    // Where it runs open anybody may ask for anything.
    expect(await statusOf(await get(`/orders/${id}${at}`))).toBe(status as string);
    const asked = queries.length;
    for (const prefer of [undefined, "wait=20"])
      expect(await statusOf(await get(`/orders/${id}${at}`, prefer, "bank"))).toBe(404);
    expect(queries.length).toBe(asked);
  }
  // What was placed while it ran open is nobody's.
  expect((await get(`/orders/${retrying}`, undefined, "acme")).status).toBe(404);
  expect(await statusOf(await get(`/orders/${retrying}`))).toBe("waiting");
});

test("readiness is the consumer's, liveness the process's", async () => {
  expect((await get("/readyz")).status).toBe(200);
  unready = "the loop is stuck";
  const answer = await get("/readyz");
  expect(answer.status).toBe(503);
  expect(await answer.text()).toContain("the loop is stuck");
  expect((await get("/livez")).status).toBe(200);
});

test("an order whose place is not come to is accepted; below what is committed nobody knows it", async () => {
  const path = "/orders/b98a142b-6ad9-8a04-b1ce-b0407a8ec501?partition=3&offset=17";
  expect((await get(path)).status).toBe(503);
  for (const offset of [0, 17]) {
    committedOffset = offset;
    const answer = await get(path);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ status: "accepted", partition: 3, offset: 17 });
  }
  committedOffset = 18;
  const answer = await get(path);
  expect(answer.status).toBe(404);
  expect(answer.headers.has("order-fate")).toBe(false);
  expect(await answer.json()).not.toHaveProperty("fate");
});

test("an order that waits for another attempt says how often it failed, why, and when it is tried again", async () => {
  const body = (await (await get(`/orders/${retrying}`)).json()) as { nextAt: string };
  expect(body).toMatchObject({ id: retrying, status: "waiting", attempts: 2, reason: "sour" });
  expect(Math.abs(Date.parse(body.nextAt) - Date.now() - 60_000)).toBeLessThan(30_000);
});

test("an order that was given up and put back waits again, and its letter is not the end", async () => {
  const place = { topic: "orders", partition: 0, offset: 1, attempts: 5, orderId: retrying };
  await ledger.bury({ ...place, reason: "it was sour before" });
  expect(await (await get(`/orders/${retrying}`)).json()).toMatchObject({ status: "waiting", attempts: 2 });
});

test("who prefers to wait is answered at the order's end, and a thousand of them ask the ledger as one", async () => {
  const entry = entryOf("c1");
  const path = `/orders/${entry.order.id}`;
  const answers = Array.from({ length: 1_000 }, () => get(path, "respond-async, wait=20"));
  await until("the ledger was asked", () => queries.length > 0);
  await ledger.record([entry], async () => {});
  for (const answer of await Promise.all(answers)) {
    expect(answer.headers.get("preference-applied")).toBe("wait=20");
    expect(await answer.json()).toMatchObject({ status: "handled" });
  }
  for (const ids of queries) expect(ids).toEqual([entry.order.id]);
  expect(queries.length).toBeLessThan(100);
});

test("a wait ends with what is known then, and is no longer than may be", async () => {
  const path = "/orders/b98a142b-6ad9-8a04-b1ce-b0407a8ec501";
  committedOffset = 0;
  const late = await get(`${path}?partition=0&offset=1`, "wait=1");
  expect(await late.json()).toMatchObject({ status: "accepted" });
  expect((await get(path, "wait=1")).status).toBe(404);
  const entry = entryOf("c2");
  await ledger.record([entry], async () => {});
  const answer = await get(`/orders/${entry.order.id}`, "wait=100000000000");
  expect(answer.headers.get("preference-applied")).toBe("wait=20");
  // Neither a number, nor a preference but a parameter of another (RFC 7240, 2).
  for (const wish of ["wait=soon", "respond-async; wait=20"])
    expect((await get(`/orders/${entry.order.id}`, wish)).headers.has("preference-applied")).toBe(false);
});

test.each(["GET", "HEAD"])("nobody asks any more for who asked with %s and has left", async (method) => {
  const port = fixedPort();
  const server = listen(port);
  const [left, stayed] = [entryOf("c1"), entryOf("c2")].map(({ order }) => order.id) as [string, string];
  const lookUp = async (id: string) => {
    const connection = await connectHttp(port);
    connection.write(httpRequest(method, `/orders/${id}`, { prefer: "wait=20" }));
    await until("it is asked for", () => queries.flat().includes(id));
    return connection;
  };
  const [leaver, stayer] = [await lookUp(left), await lookUp(stayed)];
  leaver.close();
  const lately = () => queries.slice(-10).flat();
  await until("only the other is asked for", () => !lately().includes(left), 10_000);
  expect(lately()).toContain(stayed);
  stayer.close();
  await server.stop();
});

test("of an order that was handled and is forgotten it is not said that it was never accepted", async () => {
  const entry = entryOf("c1");
  await ledger.record([entry], async () => {});
  committedOffset = entry.offset + 1;
  const at = `/orders/${entry.order.id}?partition=${entry.partition}&offset=${entry.offset}`;
  expect((await get(at)).status).toBe(200);
  await ledger.expire(-dayMs);
  const answer = await get(at);
  expect(answer.status).toBe(404);
  expect(await answer.text()).toContain("is forgotten by now");
});
