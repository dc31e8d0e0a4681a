// In virtual time against modelled brokers and a bounded queue. More seeds: `bun proof/simulation/overload.ts`.
import { describe, expect, test } from "bun:test";
import { type Brokers, epochMs } from "../../testing/overload-model.ts";
import { shapes } from "../../testing/overload-shapes.ts";
import { meet, targetMs, waitOf, within } from "../../testing/overload-worlds.ts";
import { createOverload } from "./overload.ts";

const singly: Brokers = { kind: "singly", perSecond: 500 };
const few = [1, 2, 3];
/** They found what others did not. */
const found: Record<string, number[]> = {
  "capacity falls to 0.9": [67, 96, 311],
  "capacity falls to 0.6": [91],
  "capacity falls to 0.3": [273],
  "capacity falls to 0.1": [21, 114],
  "capacity goes down slowly, and comes back": [4, 14],
};

describe.each(Object.entries(shapes))("%s", (name, shape) => {
  test.each([...few, ...(found[name] ?? [])])("seed %p", (seed) => expect(shape(seed)).toEqual([]));
});

test("nothing is shed while those come again whom the bound refused in a stall", () => {
  const busy = { seconds: 10, share: 1, perSecond: 250, again: true };
  const told = meet({ seed: 1, brokers: singly, bound: 2_000 }, busy, { ...busy, share: 0 }, busy, busy);
  expect(told.refused.length).toBeGreaterThan(1_000);
  expect(told.refused.filter(({ limit }) => limit < 2_000)).toEqual([]);
});

test("a start in overload is bounded within seconds, be it a start in a stall too", () => {
  for (const stalled of [0, 10])
    for (const bound of [2_000, 4_000]) {
      const busy = { seconds: 30, share: 1, perSecond: 1_000 };
      const phases = stalled > 0 ? [{ ...busy, seconds: stalled, share: 0 }, busy] : [busy];
      const told = meet({ seed: 1, brokers: singly, bound }, ...phases);
      const settledMs = epochMs + 1_000 * stalled + 5_000 + (stalled > 0 ? (1_000 * bound) / 500 : 0);
      const endMs = told.endsMs.at(-1) as number;
      expect(waitOf(told, settledMs, endMs, 0.5)).toBeWithin(900, 1_100);
      expect(waitOf(told, settledMs, endMs, 0.99)).toBeLessThan(1.5 * targetMs);
      expect(within(told, settledMs, endMs).length).toBeGreaterThan(0.9 * 500 * 15);
    }
});

test("below the capacity nothing is refused", () => {
  const told = meet({ seed: 1, brokers: singly, bound: 4_000 }, { seconds: 60, share: 1, perSecond: 450 });
  expect(told.refused).toEqual([]);
});

test("the limit is as large as what is acknowledged: ten times as much, ten times the limit", () => {
  for (const perSecond of [100, 1_000]) {
    const brokers: Brokers = { kind: "singly", perSecond };
    const told = meet(
      { seed: 1, brokers, bound: 4_000 },
      { seconds: 20, share: 1, perSecond: 2 * perSecond },
    );
    expect(told.limits.at(-1)?.limit).toBeWithin(0.9 * perSecond, 1.1 * perSecond);
  }
});

test("all acknowledgements late and the queue at its bound: the limit falls", () => {
  const overload = createOverload(targetMs, 4_000);
  let nowMs = epochMs;
  for (; nowMs < epochMs + 5_000; nowMs += 0.5) overload.acknowledged(20, nowMs);
  for (; nowMs < epochMs + 15_000; nowMs += 1_000 / 600) {
    overload.limit(4_000, nowMs);
    overload.acknowledged(6_600, nowMs);
  }
  expect(overload.limit(4_000, nowMs)).toBeWithin(500, 700);
});

test("what is refused for another reason is overload as well", () => {
  const limitAfter = (refuse: boolean) => {
    const overload = createOverload(targetMs, 4_000);
    for (let nowMs = epochMs; nowMs < epochMs + 10_000; nowMs += 2) {
      const slow = nowMs > epochMs + 2_000;
      overload.limit(3_000, nowMs);
      if (refuse && slow) overload.refused();
      overload.acknowledged(slow ? 6_000 : 20, nowMs);
    }
    return overload.limit(3_000, epochMs + 10_000);
  };
  expect(limitAfter(false)).toBe(4_000);
  expect(limitAfter(true)).toBeWithin(400, 600);
});

test("brokers that are slow but keep pace are no overload", () => {
  for (const delayMs of [1_200, 2_000])
    for (const perSecond of [67, 300, 1_000]) {
      const far: Brokers = { kind: "far", perSecond, delayMs };
      const told = meet({ seed: 1, brokers: far, bound: 4_000 }, { seconds: 40, share: 1, perSecond });
      expect(told.refused).toEqual([]);
    }
});

test("where a lower limit shortens no wait the brokers get half of what the bound allows at least all the same", () => {
  for (const delayMs of [1_200, 2_000])
    for (const bound of [200, 2_000]) {
      const far: Brokers = { kind: "far", perSecond: 3_000, delayMs };
      const told = meet({ seed: 1, brokers: far, bound }, { seconds: 100, share: 1, perSecond: 3_000 });
      const used = within(told, epochMs + 20_000, epochMs + 100_000).length / 80;
      expect(used).toBeGreaterThan((0.5 * bound) / (delayMs / 1_000));
    }
});

test("orders that are never acknowledged lift no limit", () => {
  const overload = createOverload(targetMs, 4_000);
  let nowMs = epochMs;
  for (; nowMs < epochMs + 10_000; nowMs += 10) {
    overload.limit(4_000, nowMs);
    overload.acknowledged(10_000, nowMs);
  }
  for (; nowMs < epochMs + 40_000; nowMs += 10) expect(overload.limit(200, nowMs)).toBeLessThan(150);
});

test("some are always let in, and after a while with nothing under way all are", () => {
  const brokers: Brokers = { kind: "singly", perSecond: 5 };
  const told = meet({ seed: 1, brokers, bound: 4_000 }, { seconds: 60, share: 1, perSecond: 100 });
  expect(Math.min(...told.limits.map(({ limit }) => limit))).toBe(16);

  const overload = createOverload(targetMs, 4_000);
  let nowMs = epochMs;
  for (; nowMs < epochMs + 5_000; nowMs += 10) {
    overload.limit(4_000, nowMs);
    overload.acknowledged(4_000, nowMs);
  }
  expect(overload.limit(0, nowMs)).toBeLessThan(200);
  expect(overload.limit(0, nowMs + targetMs)).toBe(4_000);
});
