import { expect, test } from "bun:test";
import { createOverload } from "./overload.ts";

const targetMs = 1_000;
const none = Number.POSITIVE_INFINITY;
const stepMs = 10;

type Phase = {
  seconds: number;
  /** Orders that come in each second, and that can be acknowledged. */
  perSecond: number;
  capacity: number;
  /** What is acknowledged comes in lumps, so many ms apart. */
  lumpMs?: number;
};

/** Orders to a server that acknowledges them first come, first served. What is said at the end is of the last phase. */
function run(...phases: Phase[]) {
  const overload = createOverload(targetMs);
  const queue: number[] = [];
  let nowMs = 1_000_000;
  let refused = 0;
  let most = 0;
  let waits: number[] = [];
  for (const { seconds, perSecond, capacity, lumpMs = stepMs } of phases) {
    let arriving = 0;
    let due = 0;
    waits = [];
    most = 0;
    for (let ms = stepMs; ms <= seconds * 1_000; ms += stepMs) {
      nowMs += stepMs;
      for (arriving += (perSecond * stepMs) / 1_000; arriving >= 1; arriving -= 1)
        if (queue.length < overload.limit(queue.length, nowMs)) queue.push(nowMs);
        else refused += 1;
      due += (capacity * stepMs) / 1_000;
      if (ms % lumpMs === 0)
        for (; due >= 1; due -= 1) {
          const sinceMs = queue.shift();
          if (sinceMs === undefined) continue;
          overload.acknowledged(nowMs - sinceMs, nowMs);
          waits.push(nowMs - sinceMs);
        }
      most = Math.max(most, queue.length);
    }
  }
  waits.sort((a, b) => a - b);
  const of = (share: number) => waits[Math.floor(share * waits.length)] ?? Number.NaN;
  return {
    ...{ refused, most, acknowledged: waits.length, medianMs: of(0.5), p99Ms: of(0.99) },
    limit: overload.limit(queue.length, nowMs),
  };
}

/** Before something happens: enough to know what is usual. */
const usual: Phase = { seconds: 10, perSecond: 300, capacity: 500 };
const quiet = { refused: 0, limit: none };

test("below the capacity nothing is refused", () => {
  expect(run({ seconds: 30, perSecond: 480, capacity: 500 })).toMatchObject(quiet);
});

test("at twice the capacity orders wait for about the target, and as many are acknowledged as can be", () => {
  const found = run(usual, { seconds: 120, perSecond: 1_000, capacity: 500 });
  expect(found.acknowledged).toBeGreaterThan(0.99 * 120 * 500);
  expect(found.medianMs).toBeWithin(700, 1_300);
  expect(found.p99Ms).toBeLessThan(3 * targetMs);
  expect(found.limit).toBeWithin(400, 600);
});

test("the limit is as large as what is acknowledged: ten times as much, ten times the limit", () => {
  const { limit } = run(
    { seconds: 10, perSecond: 3_000, capacity: 5_000 },
    { seconds: 20, perSecond: 10_000, capacity: 5_000 },
  );
  expect(limit).toBeWithin(4_000, 6_000);
});

test("a server that acknowledges in lumps is bounded too", () => {
  for (const lumpMs of [300, 800, 1_100]) {
    const found = run({ ...usual, lumpMs }, { seconds: 120, perSecond: 1_000, capacity: 500, lumpMs });
    expect(found.medianMs).toBeLessThan(2.5 * targetMs);
    expect(found.most).toBeLessThan(3_000);
  }
});

test("a stall of seconds refuses nothing, neither while it lasts nor while what waited is worked off", () => {
  for (const seconds of [1, 4, 15])
    for (const capacity of [450, 600, 1_200, 100_000]) {
      const stall = { seconds, perSecond: 300, capacity: 0 };
      expect(run(usual, stall, { seconds: 60, perSecond: 300, capacity })).toMatchObject(quiet);
    }
});

test("a few that come through late in a stall are no overload", () => {
  for (const capacity of [10, 20]) {
    const stall = { seconds: 6, perSecond: 300, capacity };
    const after = { seconds: 5, perSecond: 300, capacity: 100_000 };
    expect(run(usual, stall, after)).toMatchObject(quiet);
  }
});

test("brokers that are slow but keep pace are no overload", () => {
  for (const [delayMs, perSecond] of [
    [1_200, 300],
    [2_000, 300],
    [2_000, 67],
  ] as const) {
    const overload = createOverload(targetMs);
    const queue: { sinceMs: number; dueMs: number }[] = [];
    for (let nowMs = 1_000_000, arriving = 0; nowMs < 1_040_000; nowMs += stepMs) {
      const takesMs = nowMs < 1_010_000 ? 20 : delayMs;
      for (arriving += (perSecond * stepMs) / 1_000; arriving >= 1; arriving -= 1) {
        expect(queue.length).toBeLessThan(overload.limit(queue.length, nowMs));
        queue.push({ sinceMs: nowMs, dueMs: nowMs + takesMs });
      }
      for (; queue[0] && queue[0].dueMs <= nowMs; queue.shift())
        overload.acknowledged(nowMs - queue[0].sinceMs, nowMs);
    }
  }
});

/** Windows, one after the other: how many of each wait are acknowledged in it, and how many wait meanwhile. */
function windows(...all: { waits: number[]; waiting: number }[]) {
  const overload = createOverload(targetMs);
  let nowMs = 1_000_000;
  overload.limit(0, nowMs);
  for (const { waits, waiting } of all) {
    for (const waitedMs of waits) overload.acknowledged(waitedMs, nowMs);
    nowMs += targetMs / 2;
    overload.limit(waiting, nowMs);
  }
  return { overload, nowMs };
}
const acknowledgements = (waitedMs: number, number = 200) => Array.from({ length: number }, () => waitedMs);
const prompt = { waits: acknowledgements(20), waiting: 50 };
const slow = (waiting: number) => ({ waits: acknowledgements(2_000), waiting });

test("one prompt order in a while says that it is no overload, whatever the others wait", () => {
  const mixed = (waiting: number) => ({ waits: [...acknowledgements(4_000), 20, 4_000], waiting });
  const { overload, nowMs } = windows(prompt, mixed(500), mixed(1_000), mixed(2_000), mixed(3_000));
  expect(overload.limit(3_000, nowMs)).toBe(none);
});

test("it takes two slow windows and more that wait, and it ends when one has waited less than half as long", () => {
  const limitAfter = (...all: Parameters<typeof windows>) => {
    const { overload, nowMs } = windows(...all);
    return overload.limit(2_000, nowMs);
  };
  expect(limitAfter(prompt, slow(500))).toBe(none);
  expect(limitAfter(prompt, slow(500), slow(500), slow(500))).toBe(none);
  expect(limitAfter(prompt, slow(500), slow(1_000))).toBe(400);
  const overloaded = [prompt, slow(500), slow(1_000)];
  expect(limitAfter(...overloaded, { waits: acknowledgements(700), waiting: 400 })).toBe(400);
  expect(limitAfter(...overloaded, { waits: acknowledgements(400), waiting: 400 })).toBe(none);
});

test("when no acknowledgement comes any more the limit is kept for a while, then lifted by asking alone", () => {
  const silence = { waits: [], waiting: 400 };
  const overloaded = [prompt, slow(500), slow(1_000)];
  const after = (count: number) => {
    const { overload, nowMs } = windows(...overloaded, ...Array.from({ length: count }, () => silence));
    return overload.limit(400, nowMs);
  };
  expect(after(4)).toBe(400);
  expect(after(5)).toBe(none);
  const { overload, nowMs } = windows(...overloaded);
  expect(overload.limit(400, nowMs)).toBe(400);
  expect(overload.limit(400, nowMs + 2 * targetMs)).toBe(none);
});

test("a capacity that falls to a third for good is noticed", () => {
  const { limit } = run(usual, { seconds: 30, perSecond: 300, capacity: 100 });
  expect(limit).toBe(100);
});

test("some are always let in, however slow everything is", () => {
  expect(run({ ...usual, perSecond: 20 }, { seconds: 60, perSecond: 100, capacity: 20 }).limit).toBe(100);
});

test("when it is over everything is let in again, also where hardly any come", () => {
  const overload = { seconds: 20, perSecond: 1_000, capacity: 500 };
  expect(run(usual, overload).limit).toBeLessThan(none);
  for (const perSecond of [2, 400])
    expect(run(usual, overload, { seconds: 10, perSecond, capacity: 500 }).limit).toBe(none);
});
