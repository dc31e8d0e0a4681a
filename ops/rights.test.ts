// Lines of rights are read as they are meant, or not at all: one that is passed over would be a right that nobody has.
import { expect, test } from "bun:test";
import { readRights } from "./rights.ts";

test("a line is a right for each of its operations", () => {
  const text = "# who\n\nproducer topic orders  WRITE,DESCRIBE\nconsumer group c* READ\n";
  expect(readRights(text)).toEqual([
    { user: "producer", kind: "topic", name: "orders", operation: "WRITE" },
    { user: "producer", kind: "topic", name: "orders", operation: "DESCRIBE" },
    { user: "consumer", kind: "group", name: "c*", operation: "READ" },
  ]);
});

test.each([
  "producer topic orders",
  "producer cluster x READ",
  "producer topic orders ALL",
  "p topic o READ WRITE",
])("%j says no right", (line) => expect(() => readRights(line)).toThrow("says no right"));
