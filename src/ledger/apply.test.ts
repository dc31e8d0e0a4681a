import { expect, test } from "bun:test";
import { createGrouping } from "./apply.ts";

/** One under which orders have failed, so that groups are of one. */
function small() {
  const grouping = createGrouping();
  for (let failed = 0; failed < 5; failed += 1) grouping.ended(0, 1, 1);
  expect(grouping.next(1_000)).toBe(1);
  return grouping;
}

test("a failure far into a group leaves larger ones than one at its beginning, and they grow while nobody fails", () => {
  const [early, late] = [createGrouping(), createGrouping()];
  early.ended(1, 500, 4);
  late.ended(1, 500, 400);
  expect(early.next(1_000)).toBe(6);
  expect(late.next(1_000)).toBe(60);
  late.ended(0, 60, 0);
  expect(late.next(1_000)).toBe(75);
});

test("where a group takes long for its size few follow one another; once is no rule for groups that are undone", () => {
  const grouping = small();
  grouping.ended(100, 1, 0);
  expect(grouping.next(1_000)).toBe(1_000);
  // Nor do many orders that take their time make the next group as large.
  for (let undone = 0; undone < 12; undone += 1) grouping.ended(100, 1_000, 1);
  expect(grouping.next(1_000)).toBe(1);
  grouping.ended(40, 1_000, 0);
  expect(grouping.next(1_000)).toBeLessThan(10);
});
