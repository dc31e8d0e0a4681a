/** A deadline on a clock that only the test moves. */
import { expect, test } from "bun:test";
import { realClock } from "../runtime/clock.ts";
import { isHandlers, startDeadline, whose } from "./attempt.ts";

function createRun() {
  let nowMs = 0;
  const timers = new Set<{ atMs: number; action: () => void }>();
  const timer = (ms: number, action: () => void) => {
    const one = { atMs: nowMs + ms, action };
    timers.add(one);
    return () => void timers.delete(one);
  };
  return {
    deadline: startDeadline({ ...realClock, nowMs: () => nowMs, timer }, 100),
    timers,
    pass(ms: number) {
      nowMs += ms;
      for (const one of timers) if (one.atMs <= nowMs && timers.delete(one)) one.action();
    },
  };
}

test("when the time is over the handler is told so, and whoever waits for it", async () => {
  const { deadline, pass } = createRun();
  pass(99);
  expect(deadline.signal.aborted).toBe(false);
  pass(1);
  expect(deadline.signal.aborted).toBe(true);
  await expect(deadline.reached).rejects.toMatchObject({ name: "TimeoutError" });
});

test("time in which the process stood still is not the handler's: it has all of it once more", () => {
  const { deadline, pass } = createRun();
  pass(1_000);
  pass(99);
  expect(deadline.signal.aborted).toBe(false);
  pass(1);
  expect(deadline.signal.aborted).toBe(true);
});

test("a deadline that is called off leaves no timer, neither the first nor the one after a standstill", () => {
  for (const stoodMs of [0, 1_000]) {
    const { deadline, timers, pass } = createRun();
    pass(stoodMs);
    expect(timers.size).toBe(1);
    deadline.stop();
    expect(timers.size).toBe(0);
  }
});

test("what the tier begins is its own, whoever it waited for; listeners of a signal are handlers', and what lost its context", async () => {
  const { deadline, pass } = createRun();
  const seen: boolean[] = [];
  const look = () => void seen.push(isHandlers(false));
  deadline.signal.addEventListener("abort", look);
  await whose.run("tier", async () => {
    await whose.run("handlers", () => Bun.sleep(1));
    look();
    pass(100);
    look();
  });
  look();
  expect(seen).toEqual([false, true, false, true]);
});
