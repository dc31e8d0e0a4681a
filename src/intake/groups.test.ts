import { expect, test } from "bun:test";
import fc from "fast-check";
import { until } from "../testing/until.ts";
import { createGroups } from "./groups.ts";

/** Groups whose sending is written down. */
function recorded(windowMs: number) {
  const sent: number[][] = [];
  const groups = createGroups<number>({
    windowMs,
    send: (items) => void sent.push([...items]),
  });
  return { groups, sent };
}
const noWindowMs = 1_000_000;

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

test("whatever comes and settles in whatever order, each item is sent once, in order, and none stays behind", async () => {
  const step = fc.oneof(
    fc.constant("add" as const),
    fc.constant("flush" as const),
    fc.constant("turn" as const),
    fc.record({ settle: fc.nat() }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const order: number[] = [];
      const unsettled: number[] = [];
      let largestGroup = 0;
      const groups = createGroups<number>({
        windowMs: noWindowMs,
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
        if (one === "add") groups.add(added++);
        else if (one === "flush") groups.flush();
        else if (one === "turn") await new Promise(setImmediate);
        else settle(one.settle);
      }
      await new Promise(setImmediate);
      while (unsettled.length > 0) settle(0);
      expect(order).toEqual(Array.from({ length: added }, (_, n) => n));
    }),
    { numRuns: 200 },
  );
});
