/** The report's tables: what each fault did, who was away, what was found, what happened when. */
import { type Verdict, whereabouts } from "../../verdict/verdict.ts";
import type { RunEvent } from "../events.ts";
import type { Measures } from "../measures.ts";
import { clock, count, duration, escaped } from "./format.ts";

/** At most so many orders of a kind are named: one is enough to look into, all are in the JSON. */
const namedOrders = 20;

type Cell = { text: string; kind?: string };

export const word = (text: string): Cell => ({ text, kind: "text" });
export const figure = (text: string): Cell => ({ text });
/** A number that should be 0. */
const ideally0 = (value: number): Cell => ({ text: count(value), ...(value > 0 && { kind: "bad" }) });

/** A table of words and figures. */
export function table(heads: readonly Cell[], rows: readonly (readonly Cell[])[]): string {
  const cells = (name: "th" | "td", row: readonly Cell[]) =>
    row
      .map(({ text, kind }) => `<${name}${kind ? ` class="${kind}"` : ""}>${escaped(text)}</${name}>`)
      .join("");
  const body = rows.map((row) => `<tr>${cells("td", row)}</tr>`).join("\n");
  return `<div class="table"><table><thead><tr>${cells("th", heads)}</tr></thead><tbody>${body}</tbody></table></div>`;
}

/** What each fault did, numbered as in the plots. */
export function recoveryTable({ recoveries, startMs }: Measures): string {
  const heads = [
    ...["no.", "fault", "at"].map(word),
    ...[
      "healed after",
      "orders",
      "first try failed",
      "not accepted",
      "new orders wait",
      "longest",
      "handling waits",
      "backlog gone",
    ].map(figure),
  ];
  const rows = recoveries.map((one, n) => [
    word(String(n + 1)),
    word(one.fault),
    word(clock(one.atMs - startMs)),
    figure(duration(one.healedAfterMs)),
    figure(count(one.sent)),
    ideally0(one.firstTryFailed),
    ideally0(one.failed),
    figure(duration(one.recoveryMs)),
    figure(duration(one.longestMs)),
    figure(duration(one.longestUnseenMs)),
    one.drainedAfterMs === undefined ? { text: "never", kind: "bad" } : figure(duration(one.drainedAfterMs)),
  ]);
  return table(heads, rows);
}

export function unavailabilityTable({ unavailability }: Measures): string {
  const heads = [...["tier", "away means"].map(word), ...["times", "in all", "longest"].map(figure)];
  return table(
    heads,
    unavailability.map(({ tier, what, stretches, totalMs, longestMs }) => [
      word(tier),
      word(what),
      figure(count(stretches.length)),
      figure(duration(totalMs)),
      figure(duration(longestMs)),
    ]),
  );
}

type Finding = { what: string; order?: string; place?: string; why: string };

/** Orders by name that should not be what they are; nothing when there are none. */
export function findingsTable(verdict: Verdict): string {
  const named = (what: string, ids: readonly string[], why: string): Finding[] =>
    ids.map((order) => ({ what, order, why }));
  const kinds: Finding[][] = [
    verdict.lost.map(({ id, where, partition, offset }) => ({
      what: "lost",
      order: id,
      ...(offset !== undefined && { place: `${partition}/${offset}` }),
      why: `${where}: ${whereabouts[where]}`,
    })),
    named("phantom", verdict.phantoms, "refused, and yet there"),
    named("ledger duplicate", verdict.ledgerDuplicates, "its effect was applied more than once"),
    named(
      "mistaken",
      verdict.mistaken,
      "answered with another order's id or place, or denied when it was sent again",
    ),
    named("altered", verdict.altered, "handled with another content or place than was accepted"),
    verdict.skipped.map(({ id, partition, offset }) => ({
      what: "skipped",
      order: id,
      place: `${partition}/${offset}`,
      why: "committed without being handled",
    })),
    verdict.offsetRegressions.map(({ partition, from, to }) => ({
      what: "offset regression",
      place: `${partition}/${to}`,
      why: `${from} was committed before`,
    })),
    verdict.orderViolations.map(({ customer, earlier, later, in: where }) => ({
      what: "order violation",
      order: later,
      why: `before ${earlier} in ${where}, both of ${customer}`,
    })),
  ];
  const rows = kinds.flatMap((findings) => findings.slice(0, namedOrders));
  if (rows.length === 0) return "";
  const cells = rows.map(({ what, order = "", place = "", why }) => [
    ...[what, order, place].map(word),
    { text: why, kind: "text wrap" },
  ]);
  return `<h2>What was found</h2>${table(["what", "order", "partition/offset", "why"].map(word), cells)}`;
}

export const eventTable = (events: readonly RunEvent[], startMs: number): string =>
  table(
    ["at", "what", ""].map(word),
    events.map(({ atMs, kind, text }) => [
      word(clock(atMs - startMs)),
      word(kind),
      { text, kind: "text wrap" },
    ]),
  );
