/** The breaker on a clock that only the test moves. */
import { expect, test } from "bun:test";
import { realClock } from "../runtime/clock.ts";
import { createBreaker } from "./breaker.ts";

function createRun() {
  let nowMs = 0;
  const changes: boolean[] = [];
  const breaker = createBreaker({
    clock: { ...realClock, nowMs: () => nowMs },
    random: () => 1,
    onChange: (open) => changes.push(open),
  });
  const one = { attempts: 1, begunAtMs: 0, failedAtMs: 0 };
  let customers = 0;
  const fails = (count: number, first = true) =>
    Array.from({ length: count }, () => {
      const customer = ++customers;
      return { ...one, customer: `c${customer}`, failures: Number(!first) };
    });
  return {
    ...{ breaker, changes, fails },
    pass(ms: number) {
      nowMs += ms;
    },
  };
}

test("nearly all of the newest first attempts fail: it opens, gives the attempts back, and counts none while open", () => {
  const { breaker, changes, fails } = createRun();
  expect(breaker.note(100, [])).toBe(true);
  const early = fails(4);
  expect(breaker.note(0, early)).toBe(true);
  // As busy as it was, it takes so many until the newest are nearly all failures.
  expect(breaker.note(0, fails(60))).toBe(false);
  expect(changes).toEqual([true]);
  expect(early.map(({ attempts }) => attempts)).toEqual([0, 0, 0, 0]);
  expect(breaker.note(0, fails(5))).toBe(false);
  expect(breaker.admits().most).toBe(0);
});

test("poison among good orders does not open it, also one order that fails for ever", () => {
  const { breaker, changes, fails, pass } = createRun();
  for (let round = 0; round < 100; round += 1) {
    breaker.note(4, fails(1));
    breaker.note(0, fails(3, false));
    pass(100);
  }
  expect(changes).toEqual([]);
  const [one] = fails(1, false);
  for (let round = 0; round < 100; round += 1) {
    breaker.note(0, [one as NonNullable<typeof one>]);
    pass(1_000);
  }
  expect(changes).toEqual([]);
});

test("where little comes, five customers' orders in a row open it", () => {
  const { breaker, changes, fails, pass } = createRun();
  breaker.note(1, []);
  for (const expected of [[], [], [], [], [true]]) {
    pass(5_000);
    breaker.note(0, fails(1));
    expect(changes).toEqual(expected);
  }
});

test("it probes one at a time, after longer and longer, and a success closes it", () => {
  const { breaker, changes, fails, pass } = createRun();
  breaker.note(0, fails(20));
  const waits: number[] = [];
  for (let probe = 0; probe < 7; probe += 1) {
    const { most, waitMs } = breaker.admits();
    expect(most).toBe(0);
    waits.push(waitMs);
    pass(waitMs);
    expect(breaker.admits().most).toBe(1);
    expect(breaker.admits().most).toBe(0);
    breaker.note(0, fails(1, false));
  }
  expect(waits).toEqual([500, 500, 1_000, 2_000, 4_000, 8_000, 10_000]);
  breaker.note(1, []);
  expect(changes).toEqual([true, false]);
  expect(breaker.admits().most).toBe(Number.POSITIVE_INFINITY);
});

test("a probe that says nothing is followed by the next at once", () => {
  const { breaker, fails, pass } = createRun();
  breaker.note(0, fails(20));
  pass(500);
  expect(breaker.admits().most).toBe(1);
  expect(breaker.admits().most).toBe(0);
  breaker.note(0, []);
  expect(breaker.admits().most).toBe(1);
  // Nor does one that is never heard of keep the others back.
  pass(10_000);
  expect(breaker.admits().most).toBe(1);
});
