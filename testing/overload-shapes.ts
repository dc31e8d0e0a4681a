/**
 * What may happen to the overload limiter, shape by shape; within a shape a seed decides. Each says what is broken, nothing
 * if all promises hold.
 */
import { type Brokers, type Course, epochMs, type Phase } from "./overload-model.ts";
import {
  capacityOf,
  endOf,
  grainOf,
  meet,
  meetFixed,
  type Said,
  saysOfQueue,
  saysOfRecovery,
  saysOfShedding,
  saysOfUse,
  settlingMs,
  targetMs,
  unless,
  type World,
  worldOf,
} from "./overload-worlds.ts";

function falls(seed: number, share: number): Said {
  const { world, between, oneOf } = worldOf(1_000 * seed + Math.round(100 * share));
  const [batch, again] = [oneOf(1, 1, 10, 50), oneOf(true, false)];
  const [full, left] = [capacityOf(world, 1), capacityOf(world, share)];
  const usual = { share: 1, perSecond: 0.6 * full };
  const perSecond = Math.max(between(1.15, 2.15) * left, 0.9 * full);
  const phases = [
    { seconds: 8, ...usual },
    { seconds: 25, share, perSecond, batch, again },
    { seconds: 20, ...usual },
  ];
  const told = meet(world, ...phases);
  const [fellMs, roseMs] = [endOf(told, 0), endOf(told, 1)];
  const grainMs = grainOf(world, left, perSecond, batch);
  return [
    ...unless(!told.refused.some(({ atMs }) => atMs <= fellMs), "it is refused before"),
    ...saysOfUse(told, meetFixed(world, left, ...phases), fellMs + settlingMs, roseMs),
    ...saysOfQueue(told, fellMs, roseMs, grainMs),
    ...saysOfRecovery(told, roseMs, full),
  ];
}

/** Too much for a while. @param course a share of the capacity, never below `lowest` */
function overloaded(
  world: World,
  seconds: number,
  course: Course,
  lowest: number,
  usual: Omit<Phase, "seconds" | "share">,
  longestMs = targetMs / lowest,
): Said {
  const phase = { seconds, share: course, ...usual };
  const told = meet(world, phase);
  const toMs = endOf(told, 0);
  const fromMs = epochMs + 2 * settlingMs;
  const left = lowest * world.brokers.perSecond;
  const grainMs = grainOf(world, left, usual.perSecond as number, usual.batch ?? 1);
  return [
    ...saysOfUse(told, meetFixed(world, world.brokers.perSecond, phase), fromMs, toMs),
    ...saysOfQueue(told, epochMs, toMs, grainMs, longestMs),
  ];
}

/** Where the last are late by more than the limiter can know when it takes them. */
const isNoneOfLast = (what: string) => !what.startsWith("a hundredth");

const square =
  (periodMs: number, low: number, lowPart = 0.5) =>
  (ms: number) =>
    ms % periodMs < (1 - lowPart) * periodMs ? 1 : low;

/** By the name of what happens: what is broken by a seed. */
export const shapes: Record<string, (seed: number) => Said> = {
  ...Object.fromEntries(
    [0.9, 0.6, 0.3, 0.1, 0.05].map((share) => [
      `capacity falls to ${share}`,
      (seed: number) => falls(seed, share),
    ]),
  ),
  "a stall, after usual times and at the start"(seed) {
    const { world, between, oneOf } = worldOf(seed);
    const perSecond = between(0.3, 0.7) * capacityOf(world, 1);
    const batch = oneOf(1, 10);
    return [2, 10].flatMap((seconds) =>
      [
        { seconds: 8, share: 1 },
        { seconds: 1, share: 0 },
      ].flatMap((before) => {
        const stall = { seconds, share: 0, perSecond, batch };
        return saysOfShedding(world, { ...before, perSecond }, stall, {
          seconds: 30,
          share: 1,
          perSecond,
          batch,
        });
      }),
    );
  },
  "a bit too much for a minute"(seed) {
    const { world, between, oneOf } = worldOf(seed);
    const perSecond = between(1.05, 1.3) * capacityOf(world, 1);
    const usual = { perSecond, batch: oneOf(1, 10), again: oneOf(true, false) };
    // It takes a while to be told from a backlog that goes down by itself.
    return overloaded(world, 60, 1, 1, usual, 1.5 * targetMs);
  },
  "capacity oscillates below what comes"(seed) {
    const { world, perSecond, between, oneOf } = worldOf(seed);
    const low = oneOf(0.3, 0.5, 0.8);
    const usual = { perSecond: between(1.2, 2) * perSecond };
    const said = overloaded(world, 60, square(oneOf(1_000, 2_000, 5_000, 10_000, 20_000), low), low, usual);
    return said.filter(isNoneOfLast);
  },
  "capacity oscillates and suffices"(seed) {
    const { world, perSecond, oneOf } = worldOf(seed);
    return saysOfShedding(world, {
      seconds: 60,
      share: square(oneOf(500, 1_000, 2_000, 4_000), 0.4),
      perSecond: 0.5 * perSecond,
    });
  },
  "capacity goes down slowly, and comes back"(seed) {
    const { world, perSecond, between } = worldOf(seed);
    world.bound = 4_000;
    const end = between(0.1, 0.4);
    const down = (ms: number) => 1 - (1 - end) * Math.min(1, ms / 20_000);
    const usual = { perSecond: 0.8 * perSecond };
    const phases = [
      { seconds: 40, share: down, ...usual },
      { seconds: 20, share: (ms: number) => Math.min(1, end + ms / 20_000), ...usual },
      { seconds: 20, share: 1, ...usual },
    ];
    const told = meet(world, ...phases);
    const fixed = meetFixed(world, perSecond, ...phases);
    const lowestMs = epochMs + 20_000;
    return [
      ...saysOfUse(told, fixed, lowestMs, lowestMs + 20_000),
      ...saysOfQueue(
        told,
        lowestMs,
        lowestMs + 20_000,
        grainOf(world, end * perSecond, usual.perSecond, 1),
      ).filter(isNoneOfLast),
      ...saysOfUse(told, fixed, endOf(told, 0), endOf(told, 1)),
      ...saysOfRecovery(told, endOf(told, 1), perSecond),
    ];
  },
  "bursts of ten times as much"(seed) {
    const { world, perSecond, between, oneOf } = worldOf(seed);
    const usual = between(0.1, 0.3) * perSecond;
    const lastMs = oneOf(200, 500, 1_000);
    const come = (ms: number) => (ms % 10_000 > 5_000 && ms % 10_000 < 5_000 + lastMs ? 10 : 1) * usual;
    return saysOfShedding(world, { seconds: 60, share: 1, perSecond: come });
  },
  "a few are acknowledged late"(seed) {
    const { world, perSecond, between, oneOf } = worldOf(seed);
    const late = { share: 0.01, byMs: oneOf(300, 1_000, 3_000) };
    const those = { ...world, brokers: { ...world.brokers, late } };
    return [
      ...saysOfShedding(those, { seconds: 60, share: 1, perSecond: 0.8 * perSecond }),
      ...overloaded(those, 40, 1, 1, { perSecond: between(1.2, 3) * perSecond }).filter(isNoneOfLast),
    ];
  },
  "one of three leaders is slow"(seed) {
    const { world, perSecond, between } = worldOf(seed);
    const slow: Brokers = {
      kind: "leaders",
      perSecond,
      slowShare: 1,
      slowByMs: between(300, 2_500),
      passedOver: false,
    };
    const weak: Brokers = { ...slow, slowShare: between(0.1, 0.5), slowByMs: 0, passedOver: true };
    const those = { ...world, bound: 4_000 };
    return [
      ...saysOfShedding({ ...those, brokers: slow }, { seconds: 60, share: 1, perSecond: 0.7 * perSecond }),
      ...saysOfShedding({ ...those, brokers: weak }, { seconds: 60, share: 1, perSecond: 0.6 * perSecond }),
    ];
  },
  "a stall of 2 s every 10 s"(seed) {
    const { world, perSecond, between, oneOf } = worldOf(seed);
    return saysOfShedding(world, {
      seconds: 80,
      share: square(10_000, 0, 0.2),
      perSecond: between(0.2, 0.55) * perSecond,
      batch: oneOf(1, 10),
    });
  },
  "a stall of 2 s every 10 s in overload"(seed) {
    const { world, perSecond, between } = worldOf(seed);
    const phase = { seconds: 80, share: square(10_000, 0, 0.2), perSecond: between(1.2, 2) * perSecond };
    const told = meet(world, phase);
    return saysOfUse(told, meetFixed(world, perSecond, phase), epochMs + 2 * settlingMs, endOf(told, 0));
  },
  "hiccups below the target"(seed) {
    const { world, perSecond, between, oneOf } = worldOf(seed);
    return saysOfShedding(world, {
      seconds: 60,
      share: square(3_000, 0, oneOf(0.1, 0.2, 0.3)),
      perSecond: between(0.2, 0.55) * perSecond,
    });
  },
  "a start in overload, be it in a stall"(seed) {
    const { world, perSecond, between, oneOf } = worldOf(seed);
    const usual = { perSecond: between(1.3, 3) * perSecond, again: oneOf(true, false) };
    const stall = { seconds: oneOf(0.001, 2, 10), share: 0, ...usual };
    const phases = [stall, { seconds: 30, share: 1, ...usual }];
    const told = meet(world, ...phases);
    const fromMs = endOf(told, 0) + settlingMs + (1_000 * world.bound) / perSecond;
    const toMs = endOf(told, 1);
    return [
      ...saysOfUse(told, meetFixed(world, perSecond, ...phases), fromMs, toMs),
      ...saysOfQueue(told, fromMs, toMs, grainOf(world, perSecond, usual.perSecond, 1)),
    ];
  },
  "less than the capacity at all times"(seed) {
    const { world, between, oneOf } = worldOf(seed);
    return saysOfShedding(world, {
      seconds: 60,
      share: 1,
      perSecond: between(0.5, 0.9) * capacityOf(world, 1),
      batch: oneOf(1, 10),
    });
  },
  "slow but steady"(seed) {
    const { world, between, oneOf } = worldOf(seed);
    const perSecond = oneOf(5, 50, 500, 2_000);
    const far: Brokers = {
      kind: "far",
      perSecond,
      delayMs: oneOf(30, 500, 900),
      late: { share: 0.01, byMs: between(100, 2_000) },
    };
    return saysOfShedding(
      { ...world, brokers: far, bound: 4_000 },
      { seconds: 60, share: 1, perSecond, batch: oneOf(1, 10) },
    );
  },
};
