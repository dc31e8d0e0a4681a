/**
 * What a limiter meets, in virtual time: clients that send in bursts or try again, a bounded queue, and brokers whose
 * capacity falls, that stall, that acknowledge singly, in groups or in lumps. Everything follows from the seed.
 */
import type { Overload } from "../src/intake/overload.ts";

/** A number in [0, 1), the next of the seed's (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Brokers. `singly`: first come, first served. `groups`: what is held goes together when nothing is
 * under way or after 50 ms; brokers take one group after the other, each with a time of its own besides its orders'. `lumps`: as singly, but the reports come
 * together, so many ms apart. `far`: each takes so long, beside any number of others. `leaders`: three, each with a queue of
 * its own, of which one has a share of its capacity only or reports late; `passedOver` as the batch partitioner does. `late`:
 * a share of all reports comes so much later.
 */
export type Brokers = { perSecond: number; late?: { share: number; byMs: number } } & (
  | { kind: "singly" }
  | { kind: "groups"; overheadMs: number }
  | { kind: "lumps"; everyMs: number }
  | { kind: "far"; delayMs: number }
  | { kind: "leaders"; slowShare: number; slowByMs: number; passedOver: boolean }
);

/**
 * A time of one kind. `share`: of the brokers' capacity that there is, 0 in a stall. `perSecond`: new orders, evenly
 * spread at random, or in requests of `batch` orders. `again`: who is refused tries again after a second, a bit earlier
 * or later.
 */
export type Phase = {
  seconds: number;
  share: Course;
  perSecond: Course;
  batch?: number;
  again?: boolean;
};
/** The same all the time, or by milliseconds since the phase began. */
export type Course = number | ((ms: number) => number);
const at = (course: Course, ms: number) => (typeof course === "number" ? course : course(ms));

/** An order's end: when it came, what it waited; refused by the bound or by a limit below it. */
type End = { atMs: number; waitedMs: number };
export type Told = {
  acknowledged: End[];
  refused: { atMs: number; limit: number }[];
  /** By phase, when it ended. */
  endsMs: number[];
  /** Looked at each `lookMs`: the limit, what is under way, and how many were acknowledged and refused so far. */
  limits: { atMs: number; limit: number; inFlight: number; acknowledged: number; refused: number }[];
};

function later(schedule: number[][], atMs: number, sinceMs: number): void {
  const tick = Math.floor(atMs) - epochMs;
  const at = schedule[tick];
  if (at) at.push(sinceMs);
  else schedule[tick] = [sinceMs];
}

const mostHeldMs = 50;
/** As the batch partitioner does. */
const passedOverAfterMs = 300;
export const epochMs = 1_000_000;
export const lookMs = 250;

/** What becomes of the orders of these phases, one after another. */
export function simulate(options: Model, ...phases: readonly Phase[]): Told {
  const model = createModel(options);
  for (const phase of phases) model.run(phase);
  return model.told;
}

/** Brokers as they are sent orders; in each millisecond they have a share of their capacity for them. */
type Working = {
  send(nowMs: number): void;
  work(share: number, nowMs: number): void;
};
/** They are done with an order of that time; the report takes a while to come, and so much longer. */
type Report = (sinceMs: number, longerMs?: number) => void;
type Of<Kind extends Brokers["kind"]> = Extract<Brokers, { kind: Kind }>;

function createSingly(brokers: Of<"singly"> | Of<"lumps">, report: Report): Working {
  const queue: number[] = [];
  let served = 0;
  return {
    send: (nowMs) => void queue.push(nowMs),
    work(share, nowMs) {
      served = Math.min(served + (share * brokers.perSecond) / 1_000, queue.length);
      if (brokers.kind === "lumps" && (nowMs - epochMs) % brokers.everyMs !== 0) return;
      const whole = Math.floor(served);
      served -= whole;
      for (const sinceMs of queue.splice(0, whole)) report(sinceMs);
    },
  };
}

function createGroups(brokers: Of<"groups">, report: Report, random: () => number): Working {
  const held: number[] = [];
  const groups: number[][] = [];
  /** To do of the first. */
  let left = 0;
  return {
    send: (nowMs) => void held.push(nowMs),
    work(share, nowMs) {
      left -= share;
      if (left <= 0) for (const sinceMs of groups.shift() ?? []) report(sinceMs);
      if (held[0] && (groups.length === 0 || nowMs - held[0] >= mostHeldMs)) groups.push(held.splice(0));
      if (left <= 0 && groups[0])
        left = brokers.overheadMs * (0.5 + random()) + (groups[0].length * 1_000) / brokers.perSecond;
    },
  };
}

function createFar(brokers: Of<"far">, report: Report): Working {
  const queue: number[] = [];
  return {
    send: (nowMs) => void queue.push(nowMs),
    work(share, nowMs) {
      while (share > 0 && queue[0] && nowMs - queue[0] >= brokers.delayMs) report(queue.shift() as number);
    },
  };
}

function createLeaders(brokers: Of<"leaders">, report: Report, random: () => number): Working {
  const leaders = [true, false, false].map((isSlow) => ({ isSlow, queue: [] as number[], served: 0 }));
  return {
    send(nowMs) {
      const ageMs = ({ queue }: (typeof leaders)[number]) => nowMs - (queue[0] ?? nowMs);
      const youngestMs = brokers.passedOver ? Math.min(...leaders.map(ageMs)) : Number.POSITIVE_INFINITY;
      const open = leaders.filter((one) => ageMs(one) <= Math.max(passedOverAfterMs, youngestMs));
      open[Math.floor(random() * open.length)]?.queue.push(nowMs);
    },
    work(share) {
      for (const leader of leaders) {
        const ofThese = leader.isSlow ? brokers.slowShare : 1;
        leader.served = Math.min(
          leader.served + (share * ofThese * brokers.perSecond) / (1_000 * leaders.length),
          leader.queue.length,
        );
        for (; leader.served >= 1; leader.served -= 1)
          report(leader.queue.shift() as number, leader.isSlow ? brokers.slowByMs : 0);
      }
    },
  };
}

function createBrokers(brokers: Brokers, report: Report, random: () => number): Working {
  if (brokers.kind === "far") return createFar(brokers, report);
  if (brokers.kind === "leaders") return createLeaders(brokers, report, random);
  if (brokers.kind === "groups") return createGroups(brokers, report, random);
  return createSingly(brokers, report);
}

type Model = { seed: number; brokers: Brokers; bound: number; limiter: Overload };

function createModel({ seed, brokers, bound, limiter }: Model) {
  const random = randomOf(seed);
  const exponential = (mean: number) => -mean * Math.log(1 - random());
  const told: Told = { acknowledged: [], refused: [], endsMs: [], limits: [] };
  const retries: number[][] = [];
  let nowMs = epochMs;
  let inFlight = 0;
  /** Reports that are on their way back, by when they arrive. */
  const reports: number[][] = [];
  const working = createBrokers(brokers, report, random);

  function report(sinceMs: number, longerMs = 0): void {
    const delayMs = 2 + Math.floor(exponential(4)) + longerMs;
    const lateMs = brokers.late && random() < brokers.late.share ? brokers.late.byMs : 0;
    later(reports, nowMs + delayMs + lateMs, sinceMs);
  }

  function offer(again: boolean): void {
    const limit = Math.min(bound, limiter.limit(inFlight, nowMs));
    if (inFlight < limit) {
      inFlight += 1;
      working.send(nowMs);
      return;
    }
    told.refused.push({ atMs: nowMs, limit });
    if (!again) return;
    const atMs = nowMs + 900 + Math.floor(200 * random());
    later(retries, atMs, nowMs);
  }

  /** A millisecond: reports come back, who was refused tries again, new orders come, brokers work. */
  function tick(share: number, again: boolean, come: () => void): void {
    nowMs += 1;
    const tickMs = nowMs - epochMs;
    for (const sinceMs of reports[tickMs] ?? []) {
      inFlight -= 1;
      limiter.acknowledged(nowMs - sinceMs, nowMs);
      told.acknowledged.push({ atMs: nowMs, waitedMs: nowMs - sinceMs });
    }
    delete reports[tickMs];
    for (const _ of retries[tickMs] ?? []) offer(again);
    delete retries[tickMs];
    come();
    working.work(share, nowMs);
    if (tickMs % lookMs === 0)
      told.limits.push({
        atMs: nowMs,
        limit: Math.min(bound, limiter.limit(inFlight, nowMs)),
        inFlight,
        acknowledged: told.acknowledged.length,
        refused: told.refused.length,
      });
  }

  return {
    told,
    /** Goes on by a phase. */
    run({ seconds, share, perSecond, batch = 1, again = false }: Phase): void {
      const sinceMs = nowMs;
      const pauseMs = () => exponential((1_000 * batch) / at(perSecond, nowMs - sinceMs));
      let nextMs = nowMs + pauseMs();
      for (const endMs = nowMs + 1_000 * seconds; nowMs < endMs; )
        tick(at(share, nowMs - sinceMs), again, () => {
          for (; nextMs <= nowMs; nextMs += pauseMs()) for (let n = 0; n < batch; n += 1) offer(again);
        });
      told.endsMs.push(nowMs);
    },
  };
}
