/** What a client is told of an order. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { Registry } from "prom-client";
import type { Ledger } from "../ledger/ledger.ts";
import { createLedger } from "../ledger/open.ts";
import { createLogger } from "../log.ts";
import { entryOf } from "../testing/entries.ts";
import { temporaryLedger } from "../testing/test-consumer.ts";
import { createHandlingApp } from "./app.ts";

let file: ReturnType<typeof temporaryLedger>;
let ledger: Ledger;
let unready: string | undefined;
let get: (path: string) => Promise<Response>;
beforeEach(async () => {
  file = temporaryLedger();
  ledger = createLedger(file.url, { connections: 1, handlerTimeoutMs: 1_000 });
  await ledger.open([]);
  unready = undefined;
  const log = createLogger("test", { INSTANCE: "test", LOG_LEVEL: "silent" });
  const app = createHandlingApp({ ledger, unready: () => unready, registry: new Registry(), log });
  get = async (path) => app.request(path);
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

test("readiness is the consumer's, liveness the process's", async () => {
  expect((await get("/readyz")).status).toBe(200);
  unready = "the loop is stuck";
  const answer = await get("/readyz");
  expect(answer.status).toBe(503);
  expect(await answer.text()).toContain("the loop is stuck");
  expect((await get("/livez")).status).toBe(200);
});
