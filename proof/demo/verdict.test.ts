import { describe, expect, test } from "bun:test";
import { type FinalAnswer, type Handled, holds, judge, type Tally, verdictLines } from "./verdict.ts";

const digest = "of what was ordered";
const once: Handled = { deliveries: 1, effects: 1, digest };
const ledger = (orders: Record<string, Handled>) => new Map(Object.entries(orders));
const accepted = (id: string): FinalAnswer => ({ id, fate: "accepted", digest, toldId: id });
const refused = (id: string): FinalAnswer => ({ id, fate: "refused", digest });
const unknown = (id: string): FinalAnswer => ({ id, fate: "unknown", digest });

const clean: Tally = {
  accepted: 0,
  refused: 0,
  unknown: 0,
  handled: 0,
  redelivered: 0,
  dead: 0,
  lost: 0,
  doubled: 0,
  phantoms: 0,
  mistaken: 0,
};

describe("the promise was kept", () => {
  test("when each accepted order is handled", () => {
    const verdict = judge([accepted("a"), accepted("b")], ledger({ a: once, b: once }));
    expect(verdict).toEqual({ ...clean, accepted: 2, handled: 2 });
    expect(holds(verdict)).toBe(true);
  });

  test("when deliveries repeat and effects don't", () => {
    const repeated = { deliveries: 4, effects: 1, digest };
    const verdict = judge([accepted("a"), accepted("b")], ledger({ a: repeated, b: once }));
    expect(verdict).toEqual({ ...clean, accepted: 2, handled: 2, redelivered: 3 });
    expect(holds(verdict)).toBe(true);
  });

  test("when an unknown order is handled, and when one is not", () => {
    const verdict = judge([accepted("a"), unknown("b"), unknown("c")], ledger({ a: once, b: once }));
    expect(verdict).toEqual({ ...clean, accepted: 1, handled: 1, unknown: 2 });
    expect(holds(verdict)).toBe(true);
  });

  test("when the ledger has orders of others", () => {
    expect(holds(judge([accepted("a")], ledger({ a: once, theirs: once })))).toBe(true);
  });
});

describe("the promise was broken", () => {
  const broken: [string, FinalAnswer[], Record<string, Handled>, Partial<Tally>][] = [
    ["an accepted order is not there", [accepted("a"), accepted("b")], { a: once }, { handled: 1, lost: 1 }],
    [
      "an accepted order was given up, and is kept",
      [accepted("a"), accepted("b")],
      { a: once, b: { deliveries: 0, effects: 0, dead: true } },
      { handled: 1, dead: 1, lost: 0 },
    ],
    [
      "an order is a dead letter and has its effect without its row",
      [accepted("a")],
      { a: { deliveries: 0, effects: 1, dead: true } },
      { dead: 0, lost: 1 },
    ],
    [
      "two orders that were given up were answered with one id",
      [accepted("a"), accepted("a")],
      { a: { deliveries: 0, effects: 0, dead: true } },
      { dead: 1, lost: 1 },
    ],
    [
      "an order has its row without its effect",
      [accepted("a")],
      { a: { deliveries: 1, effects: 0, digest } },
      { lost: 1 },
    ],
    [
      "an effect is there twice",
      [accepted("a")],
      { a: { deliveries: 2, effects: 2, digest } },
      { doubled: 1 },
    ],
    [
      "the effect of an unknown order is there twice",
      [accepted("a"), unknown("b")],
      { a: once, b: { deliveries: 1, effects: 2, digest } },
      { doubled: 1 },
    ],
    ["a refused order was handled", [accepted("a"), refused("b")], { a: once, b: once }, { phantoms: 1 }],
    [
      "a refused order is a dead letter",
      [accepted("a"), refused("b")],
      { a: once, b: { deliveries: 0, effects: 0, dead: true } },
      { phantoms: 1 },
    ],
    [
      "two orders were answered with one id",
      [accepted("a"), accepted("a")],
      { a: once },
      { handled: 1, lost: 1 },
    ],
    [
      "an order has its effect without its row",
      [accepted("a")],
      { a: { deliveries: 0, effects: 1 } },
      { lost: 1 },
    ],
    [
      "two orders were answered with each other's ids",
      [
        { ...accepted("a"), toldId: "b" },
        { ...accepted("b"), toldId: "a" },
      ],
      { a: once, b: once },
      { handled: 2, lost: 0, mistaken: 2 },
    ],
    [
      "an order was accepted under no id",
      [{ ...accepted("a"), toldId: undefined }],
      { a: once },
      { mistaken: 1 },
    ],
    [
      "what was handled is not what was ordered",
      [accepted("a"), unknown("b")],
      { a: { ...once, digest: "of another" }, b: { ...once, digest: "of another" } },
      { handled: 1, mistaken: 2 },
    ],
    ["nothing was accepted", [refused("a")], {}, { accepted: 0 }],
    ["nothing was sent", [], {}, { accepted: 0 }],
  ];
  test.each(broken)("when %s", (_, answers, orders, expected) => {
    const verdict = judge(answers, ledger(orders));
    expect(verdict).toMatchObject(expected);
    expect(holds(verdict)).toBe(false);
  });
});

test("the verdict's last line is the one that counts", () => {
  const verdict = { ...clean, accepted: 5120, handled: 5120, redelivered: 37 };
  expect(verdictLines(verdict)).toEqual(["accepted 5120, handled 5120, redelivered 37, lost 0"]);
});

test("what else there is to say stands before it", () => {
  const verdict = {
    ...clean,
    accepted: 9,
    handled: 7,
    lost: 2,
    refused: 3,
    unknown: 4,
    dead: 1,
    doubled: 5,
    phantoms: 6,
    mistaken: 7,
  };
  expect(verdictLines(verdict)).toEqual([
    "refused 3, unknown 4, given up and kept as dead letters 1, effects applied twice 5, refused but handled 6, under another id or with another content 7",
    "accepted 9, handled 7, redelivered 0, lost 2",
  ]);
});
