import { expect, test } from "bun:test";
import { countedDown } from "./until.ts";

const limitMs = 100;
const pollMs = 20;

test("who goes on is waited for, however long all of it takes", async () => {
  let left = 20;
  // Each look finds one less: together they take longer than may pass without any.
  expect(await countedDown(() => --left, limitMs, pollMs)).toBe(0);
});

test("who has stopped is not", async () => {
  let looks = 0;
  const stopped = () => {
    looks += 1;
    return Math.max(3, 5 - looks);
  };
  expect(await countedDown(stopped, limitMs, pollMs)).toBe(3);
});

test("nor is who never comes to an end", async () => {
  let left = Number.MAX_SAFE_INTEGER;
  expect(await countedDown(() => --left, 10, 1)).toBeGreaterThan(0);
});

test("where there is no time at all it is looked once", async () => {
  let looks = 0;
  expect(await countedDown(() => ++looks, 0, pollMs)).toBe(1);
});
