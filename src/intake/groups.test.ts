import { describe, expect, spyOn, test } from "bun:test";
import fc from "fast-check";
import { until } from "../../kit/until.ts";
import { createGroups, createSpacing } from "./groups.ts";

/** Groups whose sending is written down. */
function recorded(windowMs: number, gathers = false) {
  const sent: number[][] = [];
  const groups = createGroups<number>({
    windowMs,
    gathers,
    send: (items) => void sent.push([...items]),
  });
  return {
    groups,
    sent,
    sizes: () => sent.map(({ length }) => length),
    add(count: number): void {
      for (let n = 0; n < count; n += 1) groups.add(n);
    },
    settle(group: number): void {
      for (const _ of sent[group - 1] ?? []) groups.settled(group);
    },
  };
}
const noWindowMs = 1_000_000;
/** As long as an acknowledgement takes; those who were answered are waited for twice as long. */
const acknowledgement = () => Bun.sleep(400);

test("with nothing under way, what comes in one turn is sent at once, together", async () => {
  const { groups, sent } = recorded(noWindowMs);
  for (const item of [1, 2, 3]) groups.add(item);
  expect(sent).toEqual([]);
  await until("it is sent", () => sent.length > 0);
  expect(sent).toEqual([[1, 2, 3]]);
});

test("while a group is under way the next is held until all of it is settled", async () => {
  const { groups, sent } = recorded(noWindowMs);
  groups.add(1);
  groups.add(2);
  groups.flush();
  groups.add(3);
  groups.settled(1);
  groups.add(4);
  await Bun.sleep(0);
  expect(sent).toEqual([[1, 2]]);
  groups.settled(1);
  expect(sent).toEqual([
    [1, 2],
    [3, 4],
  ]);
});

test("but no longer than the window, and a stuck group holds up nothing after that", async () => {
  const { groups, sent } = recorded(20);
  groups.add(1);
  groups.flush();
  groups.add(2);
  await until("the window is over", () => sent.length === 2);
  groups.add(3);
  groups.settled(2);
  expect(sent).toEqual([[1], [2], [3]]);
  groups.settled(1);
  groups.add(4);
  expect(sent).toHaveLength(3);
});

describe("where many come", () => {
  test.each([
    { held: 20, gathers: true, expected: 40, why: "held" },
    { held: 0, gathers: true, expected: 20, why: "under way" },
    { held: 15, gathers: false, expected: 20, why: "answered one by one, most of them are back by then" },
  ])("a group waits until as many are there as were: $why", async ({ held, gathers, expected }) => {
    const { groups, add, settle, sizes } = recorded(noWindowMs, gathers);
    add(20);
    groups.flush();
    add(held);
    await acknowledgement();
    settle(1);
    add(expected - held - 1);
    await new Promise(setImmediate);
    expect(sizes()).toEqual([20]);
    add(1);
    await until("it is sent", () => sizes().length > 1);
    expect(sizes()).toEqual([20, expected]);
  });

  test("it is sent without them when they do not come soon", async () => {
    const { groups, add, settle, sizes } = recorded(noWindowMs, true);
    add(20);
    groups.flush();
    add(5);
    await acknowledgement();
    settle(1);
    expect(sizes()).toEqual([20]);
    await until("it is sent", () => sizes().length > 1);
    expect(sizes()).toEqual([20, 5]);
    settle(2);
    add(1);
    await until("it waits for nobody any more", () => sizes().length > 2);
  });

  test("few, of brokers that acknowledge at once, wait for nobody", () => {
    const { groups, add, settle, sizes } = recorded(noWindowMs, true);
    add(10);
    groups.flush();
    add(5);
    settle(1);
    expect(sizes()).toEqual([10, 5]);
  });

  test("enough wait for nobody", async () => {
    const { groups, add, settle, sizes } = recorded(noWindowMs, true);
    add(20);
    groups.flush();
    add(256);
    await acknowledgement();
    settle(1);
    expect(sizes()).toEqual([20, 256]);
  });

  test("enough is enough, however many were there", async () => {
    const { groups, add, settle, sizes } = recorded(noWindowMs, true);
    add(1_000);
    groups.flush();
    await acknowledgement();
    settle(1);
    add(256);
    await until("it is sent", () => sizes().length > 1);
    expect(sizes()).toEqual([1_000, 256]);
  });

  test("what comes after it has the whole window", async () => {
    const windowMs = 500;
    const { groups, add, settle, sizes } = recorded(windowMs, true);
    add(20);
    groups.flush();
    add(5);
    await Bun.sleep(20);
    settle(1);
    await until("nobody is waited for any more", () => sizes().length > 1);
    const heldSinceMs = performance.now();
    add(1);
    await until("the window is over", () => sizes().length > 2);
    expect(performance.now() - heldSinceMs).toBeGreaterThan(windowMs - 2);
  });

  test("what was held for the window waits for nobody", async () => {
    const { groups, add, settle, sizes } = recorded(5, true);
    add(20);
    groups.flush();
    add(5);
    Bun.sleepSync(10);
    settle(1);
    expect(sizes()).toEqual([20, 5]);
  });
});

describe("where few come", () => {
  /** Two turns of the event loop: what does not wait is sent by then. */
  const turns = async () => {
    for (const _ of [1, 2]) await new Promise(setImmediate);
  };

  /** The clock of the host and the one of the process stand still until they are set. */
  function clocks() {
    const [date, elapsed] = [spyOn(Date, "now"), spyOn(performance, "now")];
    return {
      at(nowMs: number): void {
        date.mockReturnValue(nowMs);
        elapsed.mockReturnValue(nowMs);
      },
      [Symbol.dispose](): void {
        date.mockRestore();
        elapsed.mockRestore();
      },
    };
  }

  test("a group keeps a distance from the one before, which ends as soon as many are there", async () => {
    using clock = clocks();
    const { groups, add, settle, sizes } = recorded(noWindowMs);
    const manyMs = 5_000;
    for (let ms = 0; ms < 1_000; ms += 25) {
      clock.at(manyMs + ms);
      add(1);
    }
    groups.flush();
    settle(1);
    clock.at(manyMs + 1_000);
    add(1);
    groups.flush();
    clock.at(manyMs + 1_020);
    settle(2);
    add(1);
    await turns();
    expect(sizes()).toEqual([40, 1]);
    add(15);
    await turns();
    expect(sizes()).toEqual([40, 1, 16]);
    clock.at(manyMs + 1_026);
    settle(3);
    add(1);
    await until("nobody else comes", () => sizes().length === 4);
  });

  /** Spacing, and the seconds in which distances were kept from their beginning, and to their end. */
  function spaced() {
    const spacing = createSpacing();
    const [kept, toEnd]: [number[], number[]] = [[], []];
    return {
      spacing,
      kept,
      toEnd,
      /** One second of the clock, from its millisecond fromMs on. */
      pass(second: number, arrivals: (isKept: boolean) => number, fromMs = 0): void {
        using clock = spyOn(Date, "now").mockReturnValue(second * 1_000 + fromMs);
        const startMs = second * 1_000 + fromMs;
        // The first order of the second tells which it is.
        spacing.came(startMs);
        const isKept = spacing.distanceMs(6) > 0;
        if (isKept) kept.push(second);
        const count = arrivals(isKept);
        for (let n = 1; n < count; n += 1) spacing.came(startMs + (n * (1_000 - fromMs)) / count);
        if (spacing.distanceMs(6) > 0) toEnd.push(second);
        clock.mockRestore();
      },
    };
  }
  /** The same for seconds one after another. */
  function keptIn([from, to]: [number, number], arrivals: (isKept: boolean, second: number) => number) {
    const { kept, pass } = spaced();
    for (let second = from; second < to; second += 1) pass(second, (isKept) => arrivals(isKept, second));
    return kept;
  }
  const range = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => from + n);
  const always = () => 40;
  const waiting = (isKept: boolean) => (isKept ? 100 : 140);

  test("orders that come whoever was answered keep it from the second second on, but for one in 16", () => {
    expect(keptIn([645, 700], always)).toEqual(range(646, 700).filter((second) => second % 16 > 0));
    expect(keptIn([645, 650], () => 2_000)).toEqual(range(646, 650));
  });

  test("what came in a part of a second does not tell how many come", () => {
    const { kept, pass } = spaced();
    pass(645, () => 24, 400);
    for (const second of range(646, 650)) pass(second, always);
    expect(kept).toEqual(range(647, 650));
  });

  test("and those of clients that wait for answers do not, but for a second in 128", () => {
    expect(keptIn([645, 900], waiting)).toEqual([646, 769, 897]);
    const alsoThinking = (isKept: boolean) => (isKept ? 124 : 140);
    expect(keptIn([645, 900], alsoThinking)).toEqual([646, 769, 897]);
    expect(keptIn([645, 900], (isKept) => (isKept ? 135 : 140)).length).toBeGreaterThan(230);
  });

  test("nor do they where so many come that they meet within a millisecond", () => {
    const { spacing, kept } = spaced();
    let number = 0;
    // Each gap is as likely as of clients that know nothing of each other, and the same in each run.
    const gapMs = (perS: number) => (-1_000 * Math.log((number++ * 0.618_034) % 1 || 1)) / perS;
    for (const second of range(645, 769)) {
      using _ = spyOn(Date, "now").mockReturnValue(second * 1_000);
      spacing.came(second * 1_000);
      const isKept = spacing.distanceMs(6) > 0;
      if (isKept) kept.push(second);
      for (let ms = 0; ms < 1_000; ms += gapMs(isKept ? 800 : 900)) spacing.came(second * 1_000 + ms);
    }
    expect(kept).toEqual([646]);
  });

  test("a trial in which less than half come is over at once, but not before something can be told", () => {
    const { spacing, kept, toEnd, pass } = spaced();
    pass(645, () => 80);
    using _ = spyOn(Date, "now").mockReturnValue(646_000);
    for (const ms of [0, 99]) spacing.came(646_000 + ms);
    expect(spacing.distanceMs(6)).toBe(75);
    spacing.came(646_180);
    expect(spacing.distanceMs(6)).toBe(0);
    for (const second of range(647, 700)) pass(second, () => 80);
    expect([kept, toEnd]).toEqual([[], []]);
  });

  test("a second of few ends nothing where it was found that as many come", () => {
    const { toEnd, pass } = spaced();
    for (const second of range(645, 655)) pass(second, () => (second === 652 ? 30 : 80));
    expect(toEnd).toEqual(range(646, 655));
  });

  test("where one second is unlike another, a lost trial is tried again in 16", () => {
    const erratic = (_: boolean, second: number) => (second % 3 === 0 ? 100 : 45);
    expect(keptIn([645, 674], erratic)).toEqual([646, ...range(657, 672), 673]);
  });

  test("seldom orders do not, nor does a batch make them many", () => {
    expect(keptIn([645, 900], () => 20)).toEqual([]);
    const spacing = createSpacing();
    for (const second of range(33, 37)) {
      using _ = spyOn(Date, "now").mockReturnValue(second * 1_000);
      for (let n = 0; n < 200; n += 1) spacing.came(second * 1_000);
      expect(spacing.distanceMs(6)).toBe(0);
    }
  });

  test("after a while without any it is found out anew", () => {
    const { kept, pass } = spaced();
    for (const second of [...range(645, 650), ...range(652, 656)]) pass(second, always);
    expect(kept).toEqual([...range(646, 650), ...range(653, 656)]);
  });

  test("but where they were held up, only in a second in 16", () => {
    const { kept, pass } = spaced();
    for (const second of [...range(645, 650), ...range(652, 680)]) pass(second, waiting);
    expect(kept).toEqual([646, 657]);
  });

  test("quick brokers are left alone, slow ones more", () => {
    const { spacing, pass } = spaced();
    for (const second of [645, 646]) pass(second, always);
    expect([0.6, 1, 2, 5, 50].map(spacing.distanceMs)).toEqual([-6, 0, 15, 60, 75]);
  });
});

test("whatever comes and settles in whatever order, each item is sent once, in order, and none stays behind", async () => {
  const step = fc.oneof(
    fc.record({ add: fc.integer({ min: 1, max: 40 }) }),
    fc.constant("flush" as const),
    fc.constant("turn" as const),
    fc.record({ settle: fc.nat() }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.boolean(), async (steps, gathers) => {
      const order: number[] = [];
      const unsettled: number[] = [];
      let largestGroup = 0;
      const groups = createGroups<number>({
        windowMs: noWindowMs,
        gathers,
        send(items, group) {
          order.push(...items);
          unsettled.push(...items.map(() => group));
          expect(group).toBe(largestGroup + 1);
          largestGroup = group;
        },
      });
      let added = 0;
      const settle = (which: number) => {
        const [group] = unsettled.splice(which % unsettled.length, 1);
        if (group !== undefined) groups.settled(group);
      };
      for (const one of steps) {
        if (one === "flush") groups.flush();
        else if (one === "turn") await new Promise(setImmediate);
        else if ("settle" in one) settle(one.settle);
        else for (let n = 0; n < one.add; n += 1) groups.add(added++);
      }
      await until("all is sent", () => {
        while (unsettled.length > 0) settle(0);
        return order.length === added;
      });
      expect(order).toEqual(Array.from({ length: added }, (_, n) => n));
    }),
    { numRuns: 200 },
  );
});
