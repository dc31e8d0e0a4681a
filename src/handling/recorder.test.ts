import { expect, test } from "bun:test";
import fc from "fast-check";
import { createBatchLimit } from "./recorder.ts";

/** Where the limit settles when each order takes so long. */
function settledAt(msPerOrder: number, maxOrders = 1_000): number {
  const limit = createBatchLimit(maxOrders);
  for (let batch = 0; batch < 100; batch += 1) limit.succeeded(limit.current(), limit.current() * msPerOrder);
  return limit.current();
}

test("a quick handler gets the largest batches, a slow one an order each", () => {
  expect(settledAt(0.01)).toBe(1_000);
  expect(settledAt(1)).toBeWithin(300, 801);
  expect(settledAt(20)).toBeWithin(15, 41);
  expect(settledAt(5_000)).toBe(1);
});

test("handlers that wait side by side are not made quicker by smaller batches: they keep the largest", () => {
  const limit = createBatchLimit(1_000);
  for (let batch = 0; batch < 20; batch += 1) limit.succeeded(limit.current(), 390);
  expect(limit.current()).toBe(1_000);
});

test("being broken off makes it one, a small batch leaves it, and it recovers", () => {
  const limit = createBatchLimit(1_000);
  const before = limit.current();
  limit.succeeded(3, 1);
  expect(limit.current()).toBe(before);
  limit.brokenOff();
  expect(limit.current()).toBe(1);
  for (let batch = 0; batch < 20; batch += 1) limit.succeeded(limit.current(), 1);
  expect(limit.current()).toBe(1_000);
});

test("whatever happens, it stays from one to its maximum", () => {
  const event = fc.oneof(
    fc.tuple(fc.constant("succeeded" as const), fc.double({ min: 0, max: 100_000, noNaN: true })),
    fc.tuple(fc.constant("brokenOff" as const), fc.constant(0)),
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5_000 }), fc.array(event), (maxOrders, events) => {
      const limit = createBatchLimit(maxOrders);
      for (const [kind, elapsedMs] of events) {
        if (kind === "succeeded") limit.succeeded(limit.current(), elapsedMs);
        else limit.brokenOff();
        expect(limit.current()).toBeInteger();
        expect(limit.current()).toBeWithin(1, maxOrders + 1);
      }
    }),
  );
});
