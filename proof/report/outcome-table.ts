// The figures of each fault as lines of text, and which of them are worse than they should be.
import type { RoundOutcome } from "../plan/goals.ts";

const columns: [title: string, cell: (outcome: RoundOutcome) => string][] = [
  ["fault", ({ fault }) => fault],
  ["failed at first", ({ figures }) => count(figures.firstTryFailed)],
  ["unreplayed", ({ figures }) => count(figures.unreplayed)],
  ["after retry", ({ figures }) => count(figures.failed)],
  ["recovery", ({ figures }) => seconds(figures.recoveryMs)],
  ["longest", ({ figures }) => seconds(figures.longestMs)],
  ["unseen at most", ({ figures }) => seconds(figures.unseenMs)],
  ["drained", ({ figures }) => seconds(figures.drainedMs)],
  ["redelivered", ({ figures }) => count(figures.redelivered)],
];

/** A line for each fault under a head, and one for each figure that misses its goal. */
export function outcomeTable(outcomes: readonly RoundOutcome[]): string {
  const rows = [
    columns.map(([title]) => title),
    ...outcomes.map((one) => columns.map(([, cell]) => cell(one))),
  ];
  const widths = columns.map((_, index) => Math.max(...rows.map((row) => row[index]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, index) => (index === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[index] ?? 0)))
      .join("  "),
  );
  const missed = outcomes.flatMap(({ fault, missed }) =>
    missed.map((figure) => `missed: ${fault}: ${figure}`),
  );
  return [...lines, ...missed].join("\n");
}

const count = (value: number | undefined) => (value === undefined ? "-" : String(value));
const seconds = (ms: number | undefined) => (ms === undefined ? "-" : `${(ms / 1_000).toFixed(1)} s`);
