import { expect, test } from "bun:test";
import { type ClientAnswer, lineOf, readAnswers, requestsIn, withInterrupted } from "./answers.ts";

const accepted: ClientAnswer = {
  key: "run-0",
  customer: "c0",
  sent: "single",
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

const ofBatch: ClientAnswer = {
  ...accepted,
  key: "run-2/17",
  sent: "streamed-slow",
  againStatus: 202,
  againId: "an-id",
};
const silent: ClientAnswer = { ...accepted, againStatus: 0, place: { partition: 3, offset: 17 } };
const placed: ClientAnswer = { ...accepted, place: { partition: 0, offset: null } };

test("what is written is read again, with an id and without, and what was told later", () => {
  const answers = [accepted, unknown, ofBatch, silent, placed];
  expect(readAnswers(answers.map((answer) => `${lineOf(answer)}\n`).join(""))).toEqual(answers);
  expect(readAnswers("")).toEqual([]);
});

test.each([
  "run-0 202 an-id",
  `${lineOf(accepted)} more`,
  lineOf(accepted).replace("accepted", "lost"),
  lineOf(accepted).replace("single", "pigeon"),
])("a line of another form is an error: %s", (line) => {
  expect(() => readAnswers(`${lineOf(unknown)}\n${line}\n`)).toThrow("not a line of the client's record");
});

test.each([1, 30, lineOf(accepted).length])(
  "a line without its end is an error: the first %i signs",
  (signs) => {
    const text = `${lineOf(unknown)}\n${lineOf(accepted)}`;
    expect(() => readAnswers(text.slice(0, lineOf(unknown).length + 1 + signs))).toThrow(
      "in the middle of a line",
    );
  },
);

test("of how many requests a record has orders", () => {
  const ofAnother = { ...accepted, key: "run-2/18" };
  expect(requestsIn([accepted, unknown, ofBatch, ofAnother], "run")).toBe(3);
  expect(requestsIn([], "run")).toBe(0);
});

test("an order that was under way when the load was ended is unknown, and each of a batch", () => {
  const fourth = { ...accepted, key: "run-3", customer: "c3", startedMs: 1_100 };
  const [first, second, ...more] = withInterrupted([fourth, accepted], "run", 9_000);
  expect([first, more.at(-1)]).toEqual([accepted, fourth]);
  const unheard: ClientAnswer = {
    key: "run-1",
    customer: "c1",
    sent: "single",
    startedMs: 1_000,
    endedMs: 9_000,
    attempts: 0,
    firstStatus: 0,
    status: 0,
    fate: "unknown",
  };
  expect(second).toEqual(unheard);
  expect(more.slice(0, -1)).toEqual(
    Array.from({ length: 40 }, (_, n) => ({
      ...unheard,
      key: `run-2/${n}`,
      customer: `c${2 + n}`,
      sent: "batch",
    })),
  );
  expect(withInterrupted([], "run", 9_000)).toEqual([]);
});

test("what is known of a batch that is written down in part stays known", () => {
  const heard = { ...accepted, key: "run-2/39", customer: "c41", sent: "batch" } as const;
  const all = withInterrupted([accepted, heard], "run", 9_000);
  expect(all).toHaveLength(42);
  expect(all.filter(({ fate }) => fate === "accepted")).toEqual([accepted, heard]);
});
