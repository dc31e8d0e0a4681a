import { expect, test } from "bun:test";
import { timeLeftMs } from "./from-balancer.ts";

const mostMs = 20_000;
const inMs = (ms: number) => String(Date.now() + ms);

test("what the balancer left is left", () => {
  expect(timeLeftMs(inMs(5_000), mostMs)).toBeWithin(4_900, 5_001);
});

test("never more than there is without a balancer", () => {
  expect(timeLeftMs(null, mostMs)).toBe(mostMs);
  expect(timeLeftMs(inMs(60_000), mostMs)).toBe(mostMs);
});

test("however far apart two clocks are, an order that is here has a second", () => {
  for (const ms of [500, 0, -1_000, -3_600_000]) expect(timeLeftMs(inMs(ms), mostMs)).toBe(1_000);
});

test.each(["", "soon", "-1", "1e12", "17958269508871", "1795826950887, 1795826950887", "NaN"])(
  "what is no time counts as none: %s",
  (text) => expect(timeLeftMs(text, mostMs)).toBe(mostMs),
);
