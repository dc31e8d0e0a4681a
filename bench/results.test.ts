import { expect, test } from "bun:test";
import { spread, spreads, table } from "./results.ts";

test("a spread is of all rounds, its median one of them", () => {
  expect(spread([3, 1, 2])).toEqual({ min: 1, median: 2, max: 3 });
  expect(spread([5])).toEqual({ min: 5, median: 5, max: 5 });
  expect(
    spreads([
      { a: 1, b: 9 },
      { a: 3, b: 8 },
      { a: 2, b: 7 },
    ]),
  ).toEqual({
    a: { min: 1, median: 2, max: 3 },
    b: { min: 7, median: 8, max: 9 },
  });
});

test("a table has a column for each figure, and says why a side has none", () => {
  const rows = [
    {
      side: "one",
      load: "64 connections",
      figures: { "orders/s": spread([12_345, 12_000, 13_000]), "p50 ms": spread([0.5]) },
    },
    { side: "two", load: "64 connections", figures: {}, noFigure: "1 order was lost" },
  ];
  expect(table(rows).split("\n")).toEqual([
    "| side | load | orders/s | p50 ms |",
    "| --- | --- | --: | --: |",
    "| one | 64 connections | **12,345** (12,000–13,000) | 0.5 |",
    "| two | 64 connections | no figure: 1 order was lost |  |",
  ]);
});
