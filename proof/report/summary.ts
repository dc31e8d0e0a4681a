/** What a terminal shows of a run. */
import { effectTable } from "../../src/handle.ts";
import { clock, count, counted, duration } from "./format.ts";
import type { Run } from "./run.ts";

/** The run in lines: what was told, what became of it, each fault, each tier. */
export function summaryOf({ verdict, measures }: Run): string {
  const { unknown, trespasses } = verdict;
  const lines = [
    `${counted(verdict.accepted, "order")} accepted, ${count(verdict.handled)} handled, ${counted(verdict.deadLettered, "dead letter")}, lost ${verdict.lost.length}${verdict.destroyed > 0 ? ` (${count(verdict.destroyed)} destroyed by a fault)` : ""}, ledger duplicates ${verdict.ledgerDuplicates.length}, phantoms ${verdict.phantoms.length}`,
    `refused ${count(verdict.refused)}, unknown ${count(unknown.handled + unknown.waiting + unknown.absent)} (${count(unknown.handled)} of them handled); first try failed ${count(verdict.firstTryFailed)}`,
    `redelivered ${count(verdict.redeliveries)}, topic duplicates ${count(verdict.topicDuplicates)}: recognised by the ledger${verdict.ofDestroyed > 0 ? `, as ${count(verdict.ofDestroyed)} of records that a fault destroyed: copies, or delivered again` : ""}`,
    ...(trespasses
      ? [
          `between principals: ${trespasses.readsLetIn} of ${counted(trespasses.reads, "read")} and ${trespasses.writesLetIn} of ${counted(trespasses.writes, "write")} let in; ${counted(trespasses.ownReads, "order")} read by their own`,
        ]
      : []),
    ...(effectTable ? [] : ["effects are not counted: they lie elsewhere"]),
    ...verdict.faults.map((fault) => `BROKEN: ${fault}`),
  ];
  const recoveries = measures.recoveries.map((one) => [
    clock(one.atMs - measures.startMs),
    one.fault,
    count(one.firstTryFailed),
    count(one.failed),
    duration(one.recoveryMs),
    duration(one.longestMs),
    duration(one.longestUnseenMs),
    one.drainedAfterMs === undefined ? "never" : duration(one.drainedAfterMs),
  ]);
  const heads = [
    "at",
    "fault",
    "first try failed",
    "not accepted",
    "new orders wait",
    "longest",
    "handling waits",
    "backlog gone",
  ];
  const away = measures.unavailability.map(({ tier, what, totalMs, longestMs }) => [
    tier,
    duration(totalMs),
    duration(longestMs),
    what,
  ]);
  return [
    lines.map((line) => `  ${line}`).join("\n"),
    columns([heads, ...recoveries], ["at", "fault"].length),
    columns([["away", "in all", "longest", "which means"], ...away], 1, 3),
  ].join("\n\n");
}

/** Columns as wide as their widest cell: names to the left, figures to the right. */
function columns(
  rows: readonly (readonly string[])[],
  names: number,
  figuresEnd = Number.POSITIVE_INFINITY,
): string {
  const widths = (rows[0] ?? []).map((_, n) => Math.max(...rows.map((row) => (row[n] ?? "").length)));
  const cell = (text: string, n: number) =>
    n < names || n >= figuresEnd ? text.padEnd(widths[n] ?? 0) : text.padStart(widths[n] ?? 0);
  return rows.map((row) => `  ${row.map(cell).join("  ").trimEnd()}`).join("\n");
}
