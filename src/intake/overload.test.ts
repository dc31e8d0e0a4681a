// In virtual time against modelled brokers and a bounded queue: many seeds, of which a failure names its own.
import { describe, expect, test } from "bun:test";
import {
  type Brokers,
  epochMs,
  type Phase,
  randomOf,
  simulate,
  type Told,
} from "../../testing/overload-model.ts";
import { createOverload } from "./overload.ts";

const targetMs = 1_000;
const limitless = { limit: () => Number.POSITIVE_INFINITY, refused() {}, acknowledged() {} };
const singly: Brokers = { kind: "singly", perSecond: 500 };

type World = { seed: number; brokers: Brokers; bound: number };

const meet = ({ seed, brokers, bound }: World, ...phases: Phase[]): Told =>
  simulate({ seed, brokers, bound, limiter: createOverload(targetMs, bound) }, ...phases);

/** Brokers of any kind, and a bound. */
function worldOf(seed: number): World {
  const random = randomOf(seed);
  const upTo = (most: number) => Math.ceil(most * random());
  const perSecond = 300 + upTo(1_700);
  const kinds: Brokers[] = [
    { kind: "singly", perSecond },
    { kind: "groups", perSecond, overheadMs: upTo(5) },
    { kind: "lumps", perSecond, everyMs: 50 + upTo(350) },
  ];
  return {
    seed,
    brokers: kinds[seed % kinds.length] as Brokers,
    bound: [200, 2_000, 4_000][upTo(3) - 1] as number,
  };
}

/** What comes through in each second with the fixed limit at which orders wait for the target. */
function capacityOf({ seed, brokers, bound }: World, share: number): number {
  const seconds = 10;
  let perSecond = brokers.perSecond * share;
  for (let round = 0; round < 2; round += 1) {
    const limit = Math.max(16, perSecond * (targetMs / 1_000));
    const limiter = { ...limitless, limit: () => limit };
    const told = simulate(
      { seed, brokers, bound, limiter },
      { seconds, share, perSecond: 3 * perSecond + 20 },
    );
    perSecond = within(told, epochMs + 2_000, epochMs + 1_000 * seconds).length / (seconds - 2);
  }
  return perSecond;
}

const within = ({ acknowledged }: Told, fromMs: number, toMs: number) =>
  acknowledged.filter(({ atMs }) => atMs > fromMs && atMs <= toMs);
const waits = (ends: { waitedMs: number }[]) => ends.map(({ waitedMs }) => waitedMs).sort((a, b) => a - b);
const of = (sorted: number[], share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
const sheddedBelow = (bound: number, { refused }: Told) => refused.filter(({ limit }) => limit < bound);
const endOf = ({ endsMs }: Told, phase: number) => endsMs[phase] as number;
/** The last ones found what others did not. */
const seeds = [1, 2, 3, 4, 8, 16, 58, 62];

describe.each([0.9, 0.6, 0.3, 0.1, 0.05])("capacity falls to a share of %p", (share) => {
  test.each(seeds)("seed %p: it is used, no queue stands, and when it is back so is everything", (n) => {
    const world = worldOf(1_000 * n + Math.round(100 * share));
    const random = randomOf(world.seed);
    const batch = [1, 1, 10, 50][Math.floor(4 * random())] as number;
    const again = random() < 0.5;
    const [full, left] = [capacityOf(world, 1), capacityOf(world, share)];
    const usual = { share: 1, perSecond: 0.6 * full };
    const perSecond = Math.max((1.15 + random()) * left, 0.9 * full);
    const seconds = 25;
    const told = meet(
      world,
      { seconds: 8, ...usual },
      { seconds, share, perSecond, batch, again },
      { seconds: 20, ...usual },
    );
    const [fellMs, roseMs] = [endOf(told, 0), endOf(told, 1)];
    expect(told.refused.filter(({ atMs }) => atMs <= fellMs)).toEqual([]);

    expect(within(told, fellMs + 5_000, roseMs).length / (seconds - 5)).toBeGreaterThan(0.9 * left);

    // What comes at once, or is answered at once, has to be worked off before its last is.
    const grainMs =
      (1_000 * Math.max(batch, world.brokers.kind === "groups" ? 0.05 * perSecond : 0)) / left +
      (world.brokers.kind === "lumps" ? world.brokers.everyMs : 0);
    const slowMs = told.acknowledged.find(({ atMs, waitedMs }) => atMs > fellMs && waitedMs > targetMs)?.atMs;
    const settledMs = (slowMs ?? roseMs) + 5_000;
    const taken = within(told, settledMs, roseMs).filter(({ atMs, waitedMs }) => atMs - waitedMs > settledMs);
    expect(of(waits(taken), 0.5)).toBeLessThan(1.1 * targetMs + grainMs);
    expect(of(waits(taken), 0.99)).toBeLessThan(1.5 * targetMs + 2 * grainMs);

    // Beside what had been let in.
    const { inFlight } = told.limits.findLast(({ atMs }) => atMs <= roseMs) ?? { inFlight: 0 };
    const recoveredMs = roseMs + 5_000 + (1_000 * inFlight) / full;
    expect(told.refused.filter(({ atMs }) => atMs > recoveredMs)).toEqual([]);
  });
});

describe("a stall is no overload: nothing is refused below the bound, neither in it nor while its backlog goes down", () => {
  test.each(seeds)("seed %p, after usual times and at the start", (seed) => {
    const world = worldOf(seed);
    const random = randomOf(seed);
    const perSecond = (0.3 + 0.4 * random()) * capacityOf(world, 1);
    const batch = random() < 0.5 ? 1 : 10;
    for (const seconds of [2, 10])
      for (const before of [
        { seconds: 8, share: 1 },
        { seconds: 1, share: 0 },
      ]) {
        const stall = { seconds, share: 0, perSecond, batch };
        const after = { seconds: 30, share: 1, perSecond, batch };
        const told = meet(world, { ...before, perSecond }, stall, after);
        expect(sheddedBelow(world.bound, told)).toEqual([]);
      }
  });
});

test("nor while those come again whom the bound refused in a stall", () => {
  const busy = { seconds: 10, share: 1, perSecond: 250, again: true };
  const told = meet({ seed: 1, brokers: singly, bound: 2_000 }, busy, { ...busy, share: 0 }, busy, busy);
  expect(told.refused.length).toBeGreaterThan(1_000);
  expect(sheddedBelow(2_000, told)).toEqual([]);
});

test("a start in overload is bounded within seconds, be it a start in a stall too", () => {
  for (const stalled of [0, 10])
    for (const bound of [2_000, 4_000]) {
      const busy = { seconds: 30, share: 1, perSecond: 1_000 };
      const phases = stalled > 0 ? [{ ...busy, seconds: stalled, share: 0 }, busy] : [busy];
      const told = meet({ seed: 1, brokers: singly, bound }, ...phases);
      const settledMs = epochMs + 1_000 * stalled + 5_000 + (stalled > 0 ? (1_000 * bound) / 500 : 0);
      const taken = told.acknowledged.filter(({ atMs, waitedMs }) => atMs - waitedMs > settledMs);
      expect(of(waits(taken), 0.5)).toBeWithin(900, 1_100);
      expect(of(waits(taken), 0.99)).toBeLessThan(1.5 * targetMs);
      expect(within(told, settledMs, endOf(told, phases.length - 1)).length).toBeGreaterThan(0.9 * 500 * 15);
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
