import { expect, test } from "bun:test";
import { anOrder } from "../testing/intake.ts";
import { createRecent } from "./recent.ts";

const accepted = (note: string) => ({ order: { ...anOrder, note }, partition: 1, offset: 2 });

test("it remembers what it was told", () => {
  const recent = createRecent(2);
  expect(recent.get("a")).toBeUndefined();
  recent.add("a", accepted("one"));
  expect(recent.get("a")).toEqual(accepted("one"));
});

test("it is bounded: the oldest is forgotten, however much comes", () => {
  const recent = createRecent(3);
  for (let index = 0; index < 1_000; index += 1) recent.add(`${index}`, accepted(""));
  const known = Array.from({ length: 1_000 }, (_, index) => `${index}`).filter((id) => recent.get(id));
  expect(known).toEqual(["997", "998", "999"]);
});

test("the same order again takes no second place", () => {
  const recent = createRecent(2);
  recent.add("a", accepted("one"));
  recent.add("b", accepted("two"));
  recent.add("b", accepted("two"));
  expect(recent.get("a")).toEqual(accepted("one"));
});
