import { expect, setSystemTime, test } from "bun:test";
import { clockMoved, watchClock } from "./clock.ts";

test("a clock that is left alone has not moved, however long that is", () => {
  let steadyMs = 0;
  using clock = watchClock(
    // As fast as a clock may be slewed: 500 ppm.
    () => 1_000_000 + steadyMs * 1.0005,
    () => steadyMs,
  );
  for (; steadyMs < 3_600_000; steadyMs += 500) clock.look();
  expect(clock.movedMs()).toBe(0);
  expect(clockMoved(0)).toBeUndefined();
});

test("one that is set is told of, also when it is set back", () => {
  let aheadMs = 0;
  using clock = watchClock(
    () => aheadMs,
    () => 0,
  );
  clock.look();
  aheadMs = 3_600_000;
  clock.look();
  aheadMs = 0;
  expect(clock.movedMs()).toBe(7_200_000);
  expect(clockMoved(7_200_000)).toContain("clock was set by 7200000 ms");
});

test("it is this machine's clock", () => {
  using clock = watchClock();
  try {
    setSystemTime(Date.now() - 60_000);
    expect(clock.movedMs()).toBeWithin(59_000, 61_000);
  } finally {
    setSystemTime();
  }
});
