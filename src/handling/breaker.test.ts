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
  const one = { attempts: 1, begunAtMs: 0, failedAtMs: 0, openings: 0 };
  let customers = 0;
  const fails = (count: number, first = true) =>
    Array.from({ length: count }, () => {
      const customer = ++customers;
      return { ...one, customer: `c${customer}`, failures: Number(!first) };
    });
  /** Handled at their first attempt, or after one that failed. */
  const well = (count: number, failures = 0) =>
    Array.from({ length: count }, () => ({ failures, attempts: failures }));
  return {
    ...{ breaker, changes, fails, well },
    pass(ms: number) {
      nowMs += ms;
    },
  };
}

test("nearly all of the newest first attempts fail: it opens, gives the attempts back, and counts none while open", () => {
  const { breaker, changes, fails, well } = createRun();
  expect(breaker.note(well(100), [])).toBe(true);
  const early = fails(4);
  expect(breaker.note([], early)).toBe(true);
  // As busy as it was, it takes so many until the newest are nearly all failures.
  expect(breaker.note([], fails(60))).toBe(false);
  expect(changes).toEqual([true]);
  early.forEach(breaker.giveBack);
  expect(early.map(({ attempts }) => attempts)).toEqual([0, 0, 0, 0]);
  expect(breaker.note([], fails(5))).toBe(false);
  expect(breaker.admits().most).toBe(0);
});

test("poison among good orders does not open it, also one order that fails for ever", () => {
  const { breaker, changes, fails, pass, well } = createRun();
  for (let round = 0; round < 100; round += 1) {
    breaker.note(well(4), fails(1));
    breaker.note([], fails(3, false));
    pass(100);
  }
  expect(changes).toEqual([]);
  const [one] = fails(1, false);
  for (let round = 0; round < 100; round += 1) {
    breaker.note([], [one as NonNullable<typeof one>]);
    pass(1_000);
  }
  expect(changes).toEqual([]);
});

test("orders that go on failing are no outage: nobody else's did", () => {
  const { breaker, changes, fails, pass, well } = createRun();
  breaker.note(well(1), []);
  breaker.note([], fails(4));
  for (let round = 0; round < 100; round += 1) {
    pass(1_000);
    expect(breaker.note([], fails(4, false))).toBe(true);
  }
  expect(changes).toEqual([]);
});

test("where little comes, five customers' orders in a row open it", () => {
  const { breaker, changes, fails, pass, well } = createRun();
  breaker.note(well(1), []);
  for (const expected of [[], [], [], [], [true]]) {
    pass(5_000);
    breaker.note([], fails(1));
    expect(changes).toEqual(expected);
  }
});

test("it probes one at a time, after longer and longer, and a success closes it", () => {
  const { breaker, changes, fails, pass, well } = createRun();
  breaker.note([], fails(20));
  const waits: number[] = [];
  for (let probe = 0; probe < 7; probe += 1) {
    const { most, waitMs } = breaker.admits();
    expect(most).toBe(0);
    waits.push(waitMs);
    pass(waitMs);
    expect(breaker.admits().most).toBe(1);
    expect(breaker.admits().most).toBe(0);
    breaker.note([], fails(1, false));
  }
  expect(waits).toEqual([500, 500, 1_000, 2_000, 4_000, 8_000, 10_000]);
  breaker.note(well(1), []);
  expect(changes).toEqual([true, false]);
  expect(breaker.admits().most).toBe(Number.POSITIVE_INFINITY);
});

test("a probe that says nothing is followed by the next at once", () => {
  const { breaker, fails, pass } = createRun();
  breaker.note([], fails(20));
  pass(500);
  expect(breaker.admits().most).toBe(1);
  expect(breaker.admits().most).toBe(0);
  breaker.note([], []);
  expect(breaker.admits().most).toBe(1);
  // Nor does one that is never heard of keep the others back.
  pass(10_000);
  expect(breaker.admits().most).toBe(1);
});

test("orders handled after they had failed hide no outage: first attempts tell", () => {
  const { breaker, changes, fails, well } = createRun();
  for (let round = 0; round < 10; round += 1) breaker.note(well(2, 1), fails(1));
  expect(changes).toEqual([true]);
});

const late = (breaker: ReturnType<typeof createRun>["breaker"], begunAtMs = 1) =>
  breaker.mayGiveUp({ begunAtMs }, { spent: 1, late: true });

test("where too few customers fail to tell, one order is given up, and the next after a long time or an order handled", () => {
  const { breaker, fails, pass, well } = createRun();
  // A lull before is none of that time.
  breaker.note(well(1), []);
  pass(20 * 60_000);
  breaker.note([], fails(4));
  expect(late(breaker)).toBe(true);
  pass(120_000);
  breaker.note([], fails(1, false));
  expect(late(breaker)).toBe(false);
  breaker.note(well(1), []);
  breaker.note([], fails(1));
  const begunAtMs = 1_320_001;
  expect(late(breaker, begunAtMs)).toBe(true);
  expect(late(breaker, begunAtMs)).toBe(false);
  pass(16 * 60_000);
  expect(late(breaker, begunAtMs)).toBe(true);
});

test("while orders are handled that had failed before, others have half as many attempts again", () => {
  const { breaker, pass, well } = createRun();
  const spent = (share: number) => breaker.mayGiveUp({ begunAtMs: 1 }, { spent: share, late: false });
  pass(2);
  breaker.note(well(1), []);
  expect([spent(0.9), spent(1)]).toEqual([false, true]);
  breaker.note(well(1, 1), []);
  expect([spent(1.4), spent(1.5)]).toEqual([false, true]);
});
