/**
 * Virtual time: what is due next happens next, in an order that the seed decides where times are the same, and only when
 * every promise that could settle has settled. So a run of minutes takes milliseconds, and the same way for the same seed.
 */
import { drainMicrotasks } from "bun:jsc";

export type Random = ReturnType<typeof createRandom>;

/** Numbers from a seed (mulberry32). */
export function createRandom(seed: number) {
  let state = Math.imul(seed, 0x9e3779b1) >>> 0;
  /** From 0 to below 1. */
  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  const int = (from: number, to: number): number => from + Math.floor(next() * (to - from + 1));
  return {
    next,
    /** A whole number, both bounds included. */
    int,
    chance: (share: number): boolean => next() < share,
    pick: <T>(items: readonly T[]): T => items[int(0, items.length - 1)] as T,
  };
}

/** What runs in one process: nothing of it happens any more once that is dead, and none while it is frozen. */
export type Process = {
  readonly name: string;
  alive: boolean;
  frozenUntilMs: number;
  /** When it was told to end. */
  toEndMs?: number;
};
/** Who is no part of what is tried: producers, operators, whoever strikes. */
export const outside: Process = { name: "outside", alive: true, frozenUntilMs: 0 };

type Event = { atMs: number; tie: number; process: Process; action: () => void; off: boolean };

export type Time = ReturnType<typeof createTime>;

export function createTime(random: Random) {
  const heap: Event[] = [];
  let nowMs = 0;

  const before = (a: Event, b: Event) => a.atMs < b.atMs || (a.atMs === b.atMs && a.tie < b.tie);

  function push(event: Event): void {
    let at = heap.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(event, heap[parent] as Event)) break;
      heap[at] = heap[parent] as Event;
      at = parent;
    }
    heap[at] = event;
  }

  function pop(): Event | undefined {
    const first = heap[0];
    const last = heap.pop();
    if (heap.length === 0 || !last) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Event, heap[child] as Event)) child += 1;
      if (!before(heap[child] as Event, last)) break;
      heap[at] = heap[child] as Event;
      at = child;
    }
    heap[at] = last;
    return first;
  }

  /** A clock of one process, as src/runtime/clock.ts has it. */
  function clockOf(process: Process) {
    const timer = (ms: number, action: () => void) => {
      const event = { atMs: nowMs + Math.max(0, ms), tie: random.next(), process, action, off: false };
      push(event);
      return () => {
        event.off = true;
      };
    };
    const sleep = (ms: number) => new Promise<void>((resolve) => void timer(ms, resolve));
    return {
      nowMs: () => nowMs,
      epochMs: () => Date.UTC(2026, 0, 1) + nowMs,
      timer,
      sleep,
      nextTurn: () => sleep(0),
    };
  }

  return {
    nowMs: () => nowMs,
    clockOf,
    /** Lets things happen until `done`, which is asked after each, or until that time. @returns whether it is done */
    run(untilMs: number, done: () => boolean): boolean {
      for (;;) {
        const event = heap[0];
        if (!event || event.atMs > untilMs) return false;
        pop();
        const { process } = event;
        if (event.off || !process.alive) continue;
        if (process.frozenUntilMs > event.atMs) {
          event.atMs = process.frozenUntilMs;
          push(event);
          continue;
        }
        nowMs = event.atMs;
        event.action();
        drainMicrotasks();
        if (done()) return true;
      }
    },
  };
}

export type Clocked = ReturnType<Time["clockOf"]>;

/** The outside's answer as a process hears it: when it runs, and never once it is dead. */
export const heard = <T>(clock: Clocked, answer: Promise<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    answer.then(
      (value) => clock.timer(0, () => resolve(value)),
      (error) => clock.timer(0, () => reject(error)),
    );
  });
