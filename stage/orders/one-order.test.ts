// The way of one order, as it is told: with the kind of order that there is, whatever befell it.
import { afterAll, beforeEach, expect, test } from "bun:test";
import type { StageState } from "../../page/state.ts";
import { type Order, partyOf } from "../../src/order.ts";
import { anOrder } from "../../src/sample.ts";
import { orderId, orderKey } from "../../src/wire/order-id.ts";
import type { Answer } from "../reconciler.ts";
import type { Trace } from "../sources/evidence.ts";
import type { Source } from "../sources/source.ts";
import { createOneOrder } from "./one-order.ts";

const place = { partition: 3, offset: 7 };
let answered: object;
/** Accepts everything, under the id that a producer would give. */
const balancer = Bun.serve({
  ...{ hostname: "127.0.0.1", port: 0 },
  async fetch(request) {
    const id = orderId(
      partyOf((await request.json()) as Order),
      orderKey(request.headers.get("idempotency-key") ?? ""),
    );
    return Response.json({ id, ...answered }, { status: 202 });
  },
});
afterAll(() => balancer.stop(true));

let told: Answer[];
let trace: Trace | undefined;
let partitions: StageState["partitions"];
beforeEach(() => {
  [told, trace, answered, partitions] = [[], undefined, place, {}];
});
const source = { url: balancer.url.origin, evidence: { trace: async () => trace } } as unknown as Source;
const { place: placeIt, find } = createOneOrder(
  source,
  (answer) => told.push(answer),
  () => ({ partitions }) as StageState,
);
const inPartition = (leader: number, inSync: number[]) => ({
  3: { leader, epoch: 1, replicas: [1, 2, 3], inSync, lag: 0, oldestS: 0, ratePerS: 0, polledPerS: 0 },
});
const said = async (id: string, stop: string) =>
  (await find(id)).stops.find(({ name }) => name === stop)?.what ?? "";

test("an order of whatever kind is told under the id that a producer gives it", async () => {
  const id = await placeIt(JSON.stringify(anOrder));
  expect(told).toEqual([{ id, fate: "accepted", toldId: id }]);
});

test("who leads its partition now, or nobody", async () => {
  const id = await placeIt(JSON.stringify(anOrder));
  partitions = inPartition(2, [1, 2]);
  expect(await said(id, "Kafka")).toEndWith("kafka2 has it, kafka1 too");
  partitions = inPartition(2, [2]);
  expect(await said(id, "Kafka")).toEndWith("kafka2 has it, no other is in sync now");
  partitions = inPartition(-1, [2]);
  expect(await said(id, "Kafka")).toEndWith("no broker leads it now");
});

test("a 202 that names neither order nor place is told as such", async () => {
  answered = { id: undefined };
  const id = await placeIt(JSON.stringify(anOrder));
  expect(told).toEqual([{ id, fate: "accepted", toldId: "" }]);
  expect(await said(id, "client")).toBe("is answered 202: without a place");
});

test("one that was given up, sent again and handled has both ends, and is handled", async () => {
  const dead = { atMs: 2_000, reason: "the milk was sour".repeat(10_000), attempts: 10 };
  trace = { ...place, placedMs: 1_000, handledMs: 9_000, deliveries: 1, effects: 1, dead };
  const { status, stops } = await find(crypto.randomUUID());
  expect(status).toBe("handled");
  expect(stops.map(({ name, toMs }) => [name, toMs])).toEqual([
    ["Kafka", 1_000],
    ["consumer", 9_000],
    ["dead letter", 2_000],
    ["ledger", 9_000],
  ]);
  expect(stops[2]?.what).toMatch(/^given up after 10 attempts: the milk was sour.{400,500} …$/);
});
