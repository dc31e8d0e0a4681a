import { expect, test } from "bun:test";
import { type ClientAnswer, lineOf, orderOf, readAnswers, withInterrupted } from "./answers.ts";

const accepted: ClientAnswer = {
  key: "run-0",
  customer: "c0",
  startedMs: 1_000,
  endedMs: 1_250,
  attempts: 2,
  firstStatus: 503,
  status: 202,
  fate: "accepted",
  id: "an-id",
};
const { id, ...unnamed } = accepted;
const unknown: ClientAnswer = { ...unnamed, key: "run-1", customer: "c1", status: 0, fate: "unknown" };

test("what is written is read again, with an id and without", () => {
  expect(readAnswers(`${lineOf(accepted)}\n${lineOf(unknown)}\n`)).toEqual([accepted, unknown]);
  expect(readAnswers("")).toEqual([]);
});

test.each(["run-0 202 an-id", `${lineOf(accepted)} more`, lineOf(accepted).replace("accepted", "lost")])(
  "a line of another form is an error: %s",
  (line) => {
    expect(() => readAnswers(`${lineOf(unknown)}\n${line}\n`)).toThrow("not a line of the client's record");
  },
);

test("an order that was under way when the load was ended is unknown", () => {
  const third = { ...accepted, key: "run-2", customer: "c2", startedMs: 1_100 };
  const [first, second, last, ...more] = withInterrupted([third, accepted], "run", 9_000);
  expect([first, last]).toEqual([accepted, third]);
  expect(second).toEqual({
    key: "run-1",
    customer: "c1",
    startedMs: 1_000,
    endedMs: 9_000,
    attempts: 0,
    firstStatus: 0,
    status: 0,
    fate: "unknown",
  });
  expect(more).toEqual([]);
  expect(withInterrupted([], "run", 9_000)).toEqual([]);
});

test("every order of a run has a key of its own, and is one that the producers take", async () => {
  const { decodePlacedOrder } = await import("../src/validation.ts");
  const orders = Array.from({ length: 2_000 }, (_, n) => orderOf("run", n));
  expect(new Set(orders.map(({ key }) => key)).size).toBe(2_000);
  for (const { body, customer } of orders.slice(0, 50)) {
    const placed = { ...body, id: crypto.randomUUID(), placedAt: new Date().toISOString() };
    expect(decodePlacedOrder(Buffer.from(JSON.stringify(placed))).customer).toBe(customer);
  }
});
