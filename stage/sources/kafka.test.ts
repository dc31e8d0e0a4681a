// What the brokers must tell before anything is called settled, and how it is said where they do not.
import { expect, test } from "bun:test";
import { startDoor } from "../../testing/brokers/door.ts";
import { startOrdersCluster } from "../../testing/kafka.ts";
import { createFeed } from "../testing/feed.ts";
import { askLog, type LogView, whole } from "./kafka.ts";

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

test("no commit is later than the ends: the group has told its progress before any log is asked for its end", async () => {
  using mock = startOrdersCluster(1);
  const seen: (number | "answer")[] = [];
  const on = { request: (kind: number) => seen.push(kind), answer: () => seen.push("answer") };
  using door = await startDoor(mock.bootstrap, on);
  await askLog([{ id: 1, port: Number(door.bootstrap.split(":")[1]) }]);
  const [offsetFetch, listOffsets] = [9, 2];
  expect(seen.slice(seen.indexOf(offsetFetch))).toEqual([offsetFetch, "answer", listOffsets, "answer"]);
});
