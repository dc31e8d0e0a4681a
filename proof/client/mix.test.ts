import { describe, expect, test } from "bun:test";
import { partyOf } from "../../src/order.ts";
import { orderId } from "../../src/wire/order-id.ts";
import { decodePlacedOrder } from "../../src/wire/validation.ts";
import {
  batchOf,
  inPiecesOf,
  type MixedRequest,
  orderOf,
  replayableBytes,
  requestOf,
  singleOf,
  turnOf,
} from "./mix.ts";

const firstOf = (of: (run: string, n: number) => MixedRequest) =>
  Array.from({ length: 1_200 }, (_, n) => of("run", n));
const ways = (requests: MixedRequest[]) => new Set(requests.map(({ sent }) => sent));

/** HAProxy's buffer with what it keeps free, and what headers may take of it. */
const bufferBytes = 16_384;

describe.each([
  ["in one go", requestOf],
  ["in pieces", inPiecesOf],
  ["batches alone", batchOf],
])("the requests %s", (_, of) => {
  const requests = firstOf(of);

  test("hold orders that the producers take, each under an id of its own", () => {
    const ids = new Set<string>();
    let count = 0;
    for (const { body, orders, path } of requests) {
      const documents = path === "/orders" ? [JSON.parse(body)] : JSON.parse(body);
      expect(documents).toHaveLength(orders.length);
      for (const [n, document] of documents.entries()) {
        const placed = { ...document, id: crypto.randomUUID(), placedAt: new Date().toISOString() };
        const customer = partyOf(decodePlacedOrder(Buffer.from(JSON.stringify(placed))));
        expect(orders[n]?.customer).toBe(customer);
        ids.add(orderId(customer, orders[n]?.key ?? ""));
        count += 1;
      }
    }
    expect(ids.size).toBe(count);
  });

  test("name each order's key as the producers do", () => {
    for (const { key, path, orders } of requests)
      expect(orders.map((order) => order.key)).toEqual(
        path === "/orders" ? [key] : orders.map((_, n) => `${key}/${n}`),
      );
  });

  test("say by each order's key, and by how it was sent, what was ordered", () => {
    for (const { body, path, sent, orders } of [...requests, singleOf("run", 7)]) {
      const documents = path === "/orders" ? [JSON.parse(body)] : JSON.parse(body);
      expect(orders.map((order) => orderOf({ ...order, sent }))).toEqual(documents);
    }
  });

  test("are above the balancer's buffer or well within it, as they say", () => {
    for (const { body, sent } of requests) {
      const streamed = sent.startsWith("streamed");
      expect(body.length > bufferBytes).toBe(streamed);
      expect(body.length <= replayableBytes - 2_000).toBe(!streamed);
    }
  });
});

test("single orders are the great majority, batches have 2 to 200 orders, and small ones come again", () => {
  const requests = firstOf(requestOf);
  expect(ways(requests)).toEqual(new Set(["single", "batch", "streamed"]));
  const batches = requests.filter(({ path }) => path === "/orders/batch");
  expect(batches).toHaveLength(8);
  const sizes = batches.map(({ orders }) => orders.length);
  expect([Math.min(...sizes), Math.max(...sizes)]).toEqual([2, 200]);
  const repeated = requests.filter((one) => one.repeated);
  expect(ways(repeated)).toEqual(new Set(["single", "batch"]));
  expect(repeated.length).toBeLessThan(30);
});

test("in pieces come all kinds, in chunks and slowly", () => {
  expect(ways(firstOf(inPiecesOf))).toEqual(
    new Set(["single-chunked", "single-slow", "batch-chunked", "streamed-slow"]),
  );
});

test("each order is whose its request is, and all take turns", () => {
  const all = ["a", "b", "c"];
  const requests = Array.from({ length: 400 }, (_, n) => [
    requestOf("run-1", n),
    inPiecesOf("run-1", n),
  ]).flat();
  for (const { key, orders } of requests)
    expect(new Set(orders.map((order) => turnOf(order.key, all)))).toEqual(new Set([turnOf(key, all)]));
  expect(new Set(requests.map(({ key }) => turnOf(key, all)))).toEqual(new Set(all));
});
