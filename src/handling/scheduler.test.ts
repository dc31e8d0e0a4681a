/** Runs of the scheduler that fast-check makes up, on a clock that only the test moves. */
import { afterEach, beforeEach, expect, jest, test } from "bun:test";
import fc from "fast-check";
import { type Clock, realClock } from "../runtime/clock.ts";
import { createScheduler } from "./scheduler.ts";

type Fate = "done" | "again" | "later";
type Work = {
  customer: string;
  notBeforeMs: number;
  alone: boolean;
  sequence: number;
  state: "waiting" | "running" | "done";
};

const clock: Clock = { ...realClock, nowMs: () => Date.now() };

beforeEach(() => {
  jest.useFakeTimers({ now: 0 });
});
afterEach(() => {
  jest.useRealTimers();
});

/** Lets everything happen that has been promised. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
}

/** A scheduler whose batches end when the test says so, and which checks the rules at each step. */
function createRun(concurrency: number, limit: number) {
  const alive: Work[] = [];
  const batches: { works: Work[]; end: (again: Work[]) => void }[] = [];
  let sequence = 0;

  const isFirst = (work: Work, batch: Work[]) =>
    alive.every(
      (other) => other.customer !== work.customer || other.sequence >= work.sequence || batch.includes(other),
    );

  const scheduler = createScheduler<Work>({
    concurrency,
    admits: () => ({ most: limit, waitMs: 0 }),
    clock,
    run(works) {
      expect(works.length).toBeWithin(1, works.some(({ alone }) => alone) ? 2 : limit + 1);
      for (const [index, work] of works.entries()) {
        expect(work.state).toBe("waiting");
        expect(work.notBeforeMs).toBeLessThanOrEqual(Date.now());
        // Nothing older of this customer is unfinished, unless it goes before it in the same batch.
        expect(isFirst(work, works.slice(0, index))).toBe(true);
        work.state = "running";
      }
      const { promise, resolve } = Promise.withResolvers<Work[]>();
      batches.push({ works, end: resolve });
      expect(batches.length).toBeLessThanOrEqual(concurrency);
      return promise;
    },
  });

  return {
    alive,
    batches,
    inHand: scheduler.inHand,
    push(customers: string[]) {
      const works = customers.map((customer): Work => {
        sequence += 1;
        return { customer, notBeforeMs: 0, alone: false, sequence, state: "waiting" };
      });
      alive.push(...works);
      scheduler.push(works);
    },
    /** Ends one batch; each of its works is done, or comes back at once or after so long. */
    end(which: number, fateOf: (index: number) => Fate = () => "done", delayMs = 0) {
      const [batch] = batches.splice(which % batches.length, 1);
      if (!batch) return;
      for (const [index, work] of batch.works.entries()) {
        const fate = fateOf(index);
        work.state = fate === "done" ? "done" : "waiting";
        if (fate === "done") alive.splice(alive.indexOf(work), 1);
        // As the consumer has it: what failed once goes alone.
        if (fate === "later") Object.assign(work, { notBeforeMs: Date.now() + delayMs, alone: true });
      }
      batch.end(batch.works.filter(({ state }) => state === "waiting"));
    },
    drop(unwanted: (work: Work) => boolean) {
      scheduler.drop(unwanted);
      for (const work of alive.filter((work) => work.state === "waiting" && unwanted(work)))
        alive.splice(alive.indexOf(work), 1);
    },
    /** Where there is room, nobody waits who could begin: of what goes alone, all but one place has room. */
    checkBusy() {
      if (batches.length === concurrency) return;
      const alone = batches.filter(({ works }) => works[0]?.alone).length;
      const aloneHaveRoom = alone < Math.max(1, concurrency - 1);
      const held = alive.filter(
        (work) => work.state === "waiting" && work.notBeforeMs <= Date.now() && isFirst(work, []),
      );
      expect(held.filter((work) => aloneHaveRoom || !work.alone)).toEqual([]);
    },
  };
}

const customer = fc.constantFrom("a", "b", "c", "d");
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ push: fc.array(customer, { minLength: 1, maxLength: 8 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      end: fc.nat(7),
      fates: fc.array(fc.constantFrom<Fate[]>("done", "again", "later"), { maxLength: 8 }),
      delayMs: fc.nat(50),
    }),
  },
  { weight: 2, arbitrary: fc.record({ advanceMs: fc.nat(60) }) },
);

test("order within a customer, bounds, no work lost, doubled, early or held up for nothing", async () => {
  const steps = fc.array(step, { maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 6 }),
      steps,
      async (concurrency, limit, steps) => {
        const run = createRun(concurrency, limit);
        for (const one of steps) {
          if ("push" in one) run.push(one.push);
          else if ("end" in one) run.end(one.end, (index) => one.fates[index] ?? "done", one.delayMs);
          else jest.advanceTimersByTime(one.advanceMs);
          await settle();
          run.checkBusy();
        }
        for (let turn = 0; run.alive.length > 0; turn += 1) {
          expect(turn).toBeLessThan(1_000);
          if (run.batches.length > 0) run.end(0);
          else jest.advanceTimersByTime(60);
          await settle();
        }
      },
    ),
    { numRuns: 300 },
  );
});

test("work that waits for another attempt holds up its own customer and nobody else", async () => {
  const run = createRun(1, 1);
  run.push(["a", "a", "b"]);
  run.end(0, () => "later", 1_000);
  await settle();
  expect(run.batches.map(({ works }) => works.map(({ customer }) => customer))).toEqual([["b"]]);
  run.end(0);
  await settle();
  jest.advanceTimersByTime(999);
  await settle();
  expect(run.batches).toEqual([]);
  jest.advanceTimersByTime(1);
  await settle();
  expect(run.batches.map(({ works }) => works.map(({ sequence }) => sequence))).toEqual([[1]]);
});

test("what failed goes by itself: by turns with the others, on a quarter of the room; with none, on all but one place", async () => {
  const run = createRun(8, 2);
  const names = (count: number, name: string) => Array.from({ length: count }, (_, n) => `${name}${n}`);
  const allFail = async () => {
    for (; run.batches.length > 0; await settle()) run.end(0, () => "later", 10);
  };
  run.push(names(10, "failed"));
  await allFail();
  jest.advanceTimersByTime(10);
  await settle();
  const running = () => run.batches.map(({ works }) => works.map(({ customer }) => customer).join());
  expect(running()).toEqual(names(7, "failed"));

  await allFail();
  run.push(names(100, "other"));
  jest.advanceTimersByTime(10);
  const begun: (string | undefined)[] = [];
  const endOne = async (name: string) => {
    run.end(running().findIndex((customers) => customers.startsWith(name)));
    await settle();
    begun.push(/^[a-z]+/.exec(running().at(-1) ?? "")?.[0]);
  };
  for (let n = 0; n < 6; n += 1) await endOne("other");
  expect(begun).toEqual(["failed", "other", "failed", "other", "other", "other"]);
  await endOne("failed");
  expect(begun.at(-1)).toBe("failed");
});

test("what was dropped is not begun; what runs is not touched, and its customer goes on", async () => {
  const run = createRun(1, 1);
  run.push(["a", "a", "b", "c"]);
  run.drop(({ customer, sequence }) => customer === "b" || sequence === 2);
  run.push(["a", "b"]);
  const seen: string[] = [];
  while (run.batches.length > 0) {
    seen.push(...(run.batches[0]?.works ?? []).map(({ customer, sequence }) => `${customer}${sequence}`));
    run.end(0);
    await settle();
  }
  expect(seen.sort()).toEqual(["a1", "a5", "b6", "c4"]);
});

test("dropped work does not come back from its delay", async () => {
  const run = createRun(2, 4);
  run.push(["a"]);
  run.end(0, () => "later", 100);
  await settle();
  run.drop(() => true);
  jest.advanceTimersByTime(1_000);
  await settle();
  expect(run.batches).toEqual([]);
  run.push(["a"]);
  expect(run.batches).toHaveLength(1);
});

test("in hand is what runs or could, and nothing of a customer who waits for another attempt", async () => {
  const run = createRun(1, 1);
  run.push(["a", "a", "b"]);
  expect(run.inHand(10)).toBe(3);
  run.end(0, () => "later", 60_000);
  await settle();
  expect(run.batches.flatMap(({ works }) => works.map(({ customer }) => customer))).toEqual(["b"]);
  expect(run.inHand(10)).toBe(1);
});

test("a customer with more than a batch counts for one: the next customers' orders are taken in none the less", () => {
  const run = createRun(1, 1);
  run.push(["a", "a", "a", "a", "a", "b"]);
  expect(run.inHand(2)).toBe(1 + 2 + 1);
});
