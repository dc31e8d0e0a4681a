// What the brokers must tell before anything is called settled, and how it is said where they do not.
import { expect, test } from "bun:test";
import { type LogView, whole } from "./kafka.ts";
import { createFeed } from "./testing/feed.ts";

const { log } = await createFeed(0).source.look();
const of = (changes: Partial<LogView>) => () => whole({ ...(log as LogView), ...changes });

test("a view in which nothing is missing is taken, and any other is not, with what it lacks", () => {
  expect(of({})()).toEqual(log as LogView);
  expect(() => whole(undefined, "the user prove is not admitted")).toThrow("the user prove is not admitted");
  expect(of({ partitions: [] })).toThrow("they show no topic orders");
  expect(of({ ends: new Map([[0, 1]]) })).toThrow("11 partitions do not tell their end");
  const unknown = { committed: new Map(), groupState: "no coordinator" };
  expect(of(unknown)).toThrow("of the group coffee-orders they say «no coordinator»");
});
