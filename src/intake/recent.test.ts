import { expect, test } from "bun:test";
import { anOrder } from "../sample.ts";
import { createRecent } from "./recent.ts";

const accepted = (note: string) => ({ order: { ...anOrder, note }, partition: 1, offset: 2 });

test("it remembers what it was told", () => {
  const recent = createRecent(2);
  expect(recent.get("a")).toBeUndefined();
  recent.add("a", accepted("one"));
  expect(recent.get("a")).toEqual(accepted("one"));
});

test("it is bounded: the oldest are forgotten, however much comes, and half of it never", () => {
  const recent = createRecent(10);
  const ids = Array.from({ length: 1_000 }, (_, index) => `${index}`);
  for (const [n, id] of ids.entries()) {
    recent.add(id, accepted(""));
    const known = ids.filter((one) => recent.get(one));
    expect(known.length).toBeLessThanOrEqual(10);
    expect(known).toEqual(ids.slice(n + 1 - known.length, n + 1));
    expect(known.length).toBeGreaterThanOrEqual(Math.min(n + 1, 5));
  }
});

test("the same order again takes no second place", () => {
  const recent = createRecent(4);
  recent.add("a", accepted("one"));
  for (let time = 0; time < 100; time += 1) recent.add("b", accepted("two"));
  expect(recent.get("a")).toEqual(accepted("one"));
});
