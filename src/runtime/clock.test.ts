import { expect, test } from "bun:test";
import fc from "fast-check";
import { backoffMs } from "./clock.ts";

test("the longest wait doubles with each failure, up to its bound", () => {
  const longest = [1, 2, 3, 4, 5, 1_000].map((failures) => backoffMs(failures, 100, 1_000, () => 1));
  expect(longest).toEqual([100, 200, 400, 800, 1_000, 1_000]);
});

test("a wait is drawn from all of that time", () => {
  expect(backoffMs(3, 100, 1_000, () => 0)).toBe(0);
  expect(backoffMs(3, 100, 1_000, () => 0.25)).toBe(100);
  expect(new Set(Array.from({ length: 50 }, () => backoffMs(5, 1_000, 60_000))).size).toBeGreaterThan(10);
});

test("it is always within its bounds, in whole milliseconds", () => {
  const positive = fc.integer({ min: 1, max: 600_000 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10_000 }), positive, positive, (failures, baseMs, maxMs) => {
      const wait = backoffMs(failures, baseMs, maxMs);
      expect(wait).toBeInteger();
      expect(wait).toBeWithin(0, maxMs + 1);
    }),
  );
});
