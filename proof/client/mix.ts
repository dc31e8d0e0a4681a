/**
 * What a load run sends, request by request: single orders, batches, some of them too large for the balancer to keep
 * for a replay, and now and then the same once more. The n-th request of a run is always the same, so that what is
 * missing in the record is known. Used in k6 as well: nothing that it lacks may be imported.
 */
import type { Order } from "../../src/order.ts";
import { longer, sampleOrder } from "../../src/sample.ts";

/**
 * How an order was sent: alone, in a batch that the balancer can replay, or in one above its buffer, which streams
 * through it and can't be replayed; in one go, in chunks of no declared length, or in pieces over seconds.
 */
export type Sent = `${"single" | "batch" | "streamed"}${"" | "-chunked" | "-slow"}`;

/** An order by what gives its id (src/wire/order-id.ts). */
export type SentOrder = {
  /** As the producer has it: the request's own, and in a batch with `/n`, from 0 on. */
  key: string;
  customer: string;
};

export type MixedRequest = {
  /** Its Idempotency-Key. */
  key: string;
  path: "/orders" | "/orders/batch";
  /** JSON. */
  body: string;
  sent: Sent;
  orders: readonly SentOrder[];
  /** Sent once more, when all of it was accepted. */
  repeated: boolean;
};

/** A body above this many bytes, headers left aside, does not fit into the balancer's buffer (lb/haproxy.cfg). */
export const replayableBytes = 15_000;
/** How long after its acceptance a request is sent once more. */
export const repeatAfterMs = 1_000;

/** One request in so many is a batch, unless more are wanted; and one single order in so many is repeated. */
export const usualBatchEvery = 150;
const repeatEvery = 50;
const customers = 997;
const batchSizes = [40, 2, 120, 5, 100, 10, 200, 3];
/** Batches from this size on have notes, which take them above the balancer's buffer; smaller ones are repeated. */
const notedFrom = 120;
const repeatedUpTo = 10;

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Of the requests that come in one go. */
export const ordersPerRequest = (batchEvery = usualBatchEvery): number =>
  (batchEvery - 1 + mean(batchSizes)) / batchEvery;

/** The n-th of the requests that come in one go. */
export function requestOf(run: string, n: number, batchEvery = usualBatchEvery): MixedRequest {
  if (n % batchEvery === 2) return batchOf(run, n, Math.floor(n / batchEvery));
  return request(`${run}-${n}`, n, { repeated: n % repeatEvery === 1 });
}

/** The n-th of a series of single orders, sent once. */
export const singleOf = (run: string, n: number): MixedRequest => request(`${run}-${n}`, n, {});

/** The n-th of a series of batches, of every size; `from` has the customers begin elsewhere. */
export function batchOf(run: string, n: number, nth = n): MixedRequest {
  const count = batchSizes[nth % batchSizes.length] as number;
  return request(`${run}-${n}`, n, { count, noted: count >= notedFrom, repeated: count <= repeatedUpTo });
}

/** The end of an order's key: the n-th request of its run, and in a batch the n-th order. */
const ofRun = /(\d+)(?:\/(\d+))?$/;

/** Whose turn it is, of those that a run orders as: by the number in a request's key, or in that of one of its orders. */
export const turnOf = <T>(key: string, all: readonly T[]): T | undefined =>
  all[Number(ofRun.exec(key)?.[1] ?? 0) % all.length];

/** What was ordered: known from the order's key, since the n-th of a run is always the same, and from how it was sent. */
export function orderOf({ key, customer, sent }: SentOrder & Pick<MixedRequest, "sent">): Order {
  const [, n = 0, nth = 0] = ofRun.exec(key) ?? [];
  const order = sampleOrder(Number(n) + Number(nth), customer);
  return sent.startsWith("streamed") ? longer(order) : order;
}

const piecesEvery = 20;
const chunkedBatch = 20;
const slowBatch = 100;

/** Of the requests whose bodies come in pieces. */
export const ordersPerPieces = (piecesEvery - 2 + chunkedBatch + slowBatch) / piecesEvery;

/** The n-th of the requests whose bodies come in pieces: in chunks and slowly by turns. */
export function inPiecesOf(run: string, n: number): MixedRequest {
  const key = `${run}-p${n}`;
  const nth = n % piecesEvery;
  if (nth === piecesEvery - 2) return request(key, n, { count: chunkedBatch, way: "-chunked" });
  if (nth === piecesEvery - 1) return request(key, n, { count: slowBatch, noted: true, way: "-slow" });
  return request(key, n, { way: n % 2 === 0 ? "-chunked" : "-slow" });
}

type Shape = { count?: number; noted?: boolean; way?: "" | "-chunked" | "-slow"; repeated?: boolean };

/** @param count of the orders in a batch; without it, it is no batch */
function request(
  key: string,
  n: number,
  { count, noted = false, way = "", repeated = false }: Shape,
): MixedRequest {
  const parties = Array.from({ length: count ?? 1 }, (_, nth) => `c${(n + nth) % customers}`);
  const samples = parties.map((customer, nth) => sampleOrder(n + nth, customer));
  const orders = noted ? samples.map(longer) : samples;
  const body = JSON.stringify(count === undefined ? orders[0] : orders);
  // Plain ASCII: a character is a byte.
  const streamed = body.length > replayableBytes;
  return {
    key,
    path: count === undefined ? "/orders" : "/orders/batch",
    body,
    sent: `${count === undefined ? "single" : streamed ? "streamed" : "batch"}${way}`,
    orders: parties.map((customer, nth) => ({
      key: count === undefined ? key : `${key}/${nth}`,
      customer,
    })),
    repeated,
  };
}
