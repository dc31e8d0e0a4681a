/**
 * Worlds that a seed decides, with the overload limiter in them, and what it promises: in overload no queue stands, and at
 * least 90 % of the capacity is used; when it is over nothing is refused any more; what goes down by itself sheds nothing.
 */
import { createOverload } from "../src/intake/overload.ts";
import {
  type Brokers,
  epochMs,
  lookMs,
  type Phase,
  randomOf,
  simulate,
  type Told,
} from "./overload-model.ts";

export const targetMs = 1_000;
export const settlingMs = 5_000;

export type World = { seed: number; brokers: Brokers; bound: number };

export const meet = ({ seed, brokers, bound }: World, ...phases: Phase[]): Told =>
  simulate({ seed, brokers, bound, limiter: createOverload(targetMs, bound) }, ...phases);

/** The same with a fixed limit, at which orders wait for the target where so many come through in a second. */
export function meetFixed({ seed, brokers, bound }: World, perSecond: number, ...phases: Phase[]): Told {
  const limit = Math.max(16, perSecond * (targetMs / 1_000));
  const limiter = { limit: () => limit, refused() {}, acknowledged() {} };
  return simulate({ seed, brokers, bound, limiter }, ...phases);
}

export const within = ({ acknowledged }: Told, fromMs: number, toMs: number) =>
  acknowledged.filter(({ atMs }) => atMs > fromMs && atMs <= toMs);
export const endOf = ({ endsMs }: Told, phase: number) => endsMs[phase] as number;
const sorted = (ends: { waitedMs: number }[]) => ends.map(({ waitedMs }) => waitedMs).sort((a, b) => a - b);
/** Whether in the seconds before a tenth more had come than went: a backlog that does not grow may stand. */
function isPressed({ limits }: Told, atMs: number): boolean {
  const n = Math.floor((atMs - epochMs) / lookMs) - 1;
  const [now, before] = [limits[n], limits[Math.max(0, n - settlingMs / lookMs)]];
  if (!now || !before) return false;
  const more = now.refused - before.refused + now.inFlight - before.inFlight;
  return more > 0.1 * (now.acknowledged - before.acknowledged);
}

/** Of the waits of what was taken under pressure and acknowledged between these times. @param share 0.5: the median */
export function waitOf(told: Told, fromMs: number, toMs: number, share: number): number {
  const taken = within(told, fromMs, toMs).filter(({ atMs, waitedMs }) => atMs - waitedMs > fromMs);
  const waits = sorted(taken.filter(({ atMs, waitedMs }) => isPressed(told, atMs - waitedMs)));
  return waits[Math.floor(share * (waits.length - 1))] ?? 0;
}

/** Brokers of any kind, a bound, and what else the seed decides. */
export function worldOf(seed: number) {
  const random = randomOf(seed);
  const upTo = (most: number) => Math.ceil(most * random());
  const perSecond = 300 + upTo(1_700);
  const kinds: Brokers[] = [
    { kind: "singly", perSecond },
    { kind: "groups", perSecond, overheadMs: upTo(5) },
    { kind: "lumps", perSecond, everyMs: 50 + upTo(350) },
  ];
  const brokers = kinds[seed % kinds.length] as Brokers;
  const world: World = { seed, brokers, bound: [200, 2_000, 4_000][upTo(3) - 1] as number };
  const between = (least: number, most: number) => least + (most - least) * random();
  const oneOf = <T>(...of: T[]) => of[Math.floor(of.length * random())] as T;
  return { world, perSecond, between, oneOf };
}

/** What comes through in each second of what is always too much. */
export function capacityOf(world: World, share: number): number {
  const seconds = 10;
  let perSecond = world.brokers.perSecond * share;
  for (let round = 0; round < 2; round += 1) {
    const told = meetFixed(world, perSecond, { seconds, share, perSecond: 3 * perSecond + 20 });
    perSecond = within(told, epochMs + 2_000, epochMs + 1_000 * seconds).length / (seconds - 2);
  }
  return perSecond;
}

/** What comes at once, or is answered at once, has to be worked off before its last is. */
export function grainOf({ brokers }: World, left: number, perSecond: number, batch: number): number {
  const together = brokers.kind === "groups" ? batch + 0.05 * perSecond : batch;
  return (1_000 * together) / left + (brokers.kind === "lumps" ? brokers.everyMs : 0);
}

/** When the first order had waited for longer than that. */
const slowFrom = ({ acknowledged }: Told, fromMs: number, longestMs: number): number =>
  acknowledged.find(({ atMs, waitedMs }) => atMs > fromMs && waitedMs > longestMs)?.atMs ??
  Number.POSITIVE_INFINITY;

export type Said = string[];
export const unless = (holds: boolean, what: string): Said => (holds ? [] : [what]);

/** A part of what the same brokers do with the same arrivals where they never wait for work. */
export function saysOfUse(told: Told, fixed: Told, fromMs: number, toMs: number): Said {
  const used = within(told, fromMs, toMs).length / within(fixed, fromMs, toMs).length;
  return unless(used > 0.9, `${(100 * used).toFixed(1)} % of the capacity are used`);
}

/** Each from so long after the first that waits for longer. */
export function saysOfQueue(
  told: Told,
  fromMs: number,
  toMs: number,
  grainMs: number,
  longestMs = targetMs,
): Said {
  const [mostMedian, mostLast] = [1.1 * longestMs + grainMs, 1.5 * longestMs + 2 * grainMs];
  const median = waitOf(told, slowFrom(told, fromMs, longestMs) + settlingMs, toMs, 0.5);
  const last = waitOf(told, slowFrom(told, fromMs, mostLast) + settlingMs, toMs, 0.99);
  return [
    ...unless(median < mostMedian, `half wait for ${median} ms and more, ${mostMedian.toFixed(0)} may`),
    ...unless(last < mostLast, `a hundredth waits for ${last} ms and more, ${mostLast.toFixed(0)} may`),
  ];
}

/** Beside what had been let in. @param perSecond what comes through */
export function saysOfRecovery(told: Told, roseMs: number, perSecond: number): Said {
  const { inFlight } = told.limits.findLast(({ atMs }) => atMs <= roseMs) ?? { inFlight: 0 };
  const recoveredMs = roseMs + settlingMs + (1_000 * inFlight) / perSecond;
  const late = told.refused.filter(({ atMs }) => atMs > recoveredMs).length;
  return unless(late === 0, `${late} are refused after recovery`);
}

export function saysOfShedding(world: World, ...phases: Phase[]): Said {
  const shed = meet(world, ...phases).refused.filter(({ limit }) => limit < world.bound).length;
  return unless(shed === 0, `${shed} are shed`);
}
