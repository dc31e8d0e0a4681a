/** The report's tables: what each fault did, who was away, what was found. */
import type { Cell, TableView } from "../../page/recording.ts";
import { type Verdict, whereabouts } from "../verdict/verdict.ts";
import { count, duration } from "./format.ts";
import type { Measures } from "./measures.ts";

/** At most so many orders of a kind are named: one is enough to look into, all are in the JSON. */
const namedOrders = 20;

/** A number that should be 0. */
const ideally0 = (value: number): Cell => (value > 0 ? { bad: count(value) } : count(value));

/** In the order of their bands. */
export const recoveryTable = ({ recoveries }: Measures): TableView => ({
  title: "What each fault did",
  heads: [
    ...["fault", "at", "healed after", "orders", "first try failed", "not accepted", "new orders wait"],
    ...["longest", "handling waits", "backlog gone"],
  ],
  words: 1,
  rows: recoveries.map((one) => [
    one.fault,
    { atMs: one.atMs },
    duration(one.healedAfterMs),
    count(one.sent),
    ideally0(one.firstTryFailed),
    ideally0(one.failed),
    duration(one.recoveryMs),
    duration(one.longestMs),
    duration(one.longestUnseenMs),
    one.drainedAfterMs === undefined ? { bad: "never" } : duration(one.drainedAfterMs),
  ]),
});

export const unavailabilityTable = ({ unavailability }: Measures): TableView => ({
  title: "Who was away",
  heads: ["tier", "away means", "times", "in all", "longest"],
  words: 2,
  rows: unavailability.map(({ tier, what, stretches, totalMs, longestMs }) => [
    ...[tier, what, count(stretches.length), duration(totalMs), duration(longestMs)],
  ]),
});

/** Orders by name that should not be what they are. */
export function findingsTable(verdict: Verdict): TableView {
  const named = (what: string, ids: readonly string[], why: string): string[][] =>
    ids.map((order) => [what, order, "", why]);
  const kinds: string[][][] = [
    verdict.lost.map(({ id, where, partition, offset }) => [
      ...["lost", id, offset === undefined ? "" : `${partition}/${offset}`],
      `${where}: ${whereabouts[where]}`,
    ]),
    named("phantom", verdict.phantoms, "refused, and yet there"),
    named("doubled", verdict.ledgerDuplicates, "its effect was applied more than once"),
    named(
      "mistaken",
      verdict.mistaken,
      "answered with another order's id or place, or denied when it was sent again",
    ),
    named("altered", verdict.altered, "handled with another content or place than was accepted"),
    verdict.skipped.map(({ id, partition, offset }) => [
      ...["skipped", id, `${partition}/${offset}`, "committed without being handled"],
    ]),
    verdict.offsetRegressions.map(({ partition, from, to }) => [
      ...["offset regression", "", `${partition}/${to}`, `${from} was committed before`],
    ]),
    verdict.orderViolations.map(({ customer, earlier, later, in: where }) => [
      ...["order violation", later, "", `before ${earlier} in ${where}, both of ${customer}`],
    ]),
  ];
  return {
    title: "Orders that are not what they should be",
    heads: ["what", "order", "partition/offset", "why"],
    words: 4,
    rows: kinds.flatMap((findings) => findings.slice(0, namedOrders)),
  };
}
