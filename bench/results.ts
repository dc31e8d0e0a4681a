/**
 * What a benchmark leaves: rows of figures, each with its spread over the rounds, as a file in bench/results/ and as a
 * table on the screen.
 */
import { cpus, totalmem } from "node:os";
import { join } from "node:path";

/** Minimum, median and maximum over the rounds. */
export type Spread = { min: number; median: number; max: number };

/** A side under some load; or why it has no figure. */
export type ResultRow = { side: string; load: string; figures: Record<string, Spread>; noFigure?: string };

export type Results = {
  benchmark: string;
  what: string;
  command: string;
  date: string;
  machine: string;
  rows: ResultRow[];
};

/** Of any numbers; NaN of none. */
export function spread(numbers: readonly number[]): Spread {
  const sorted = numbers.toSorted((a, b) => a - b);
  const at = (index: number) => sorted[index] ?? Number.NaN;
  return { min: at(0), median: at(Math.floor(sorted.length / 2)), max: at(sorted.length - 1) };
}

/** The spread of each figure over rounds of the same figures. */
export function spreads(rounds: readonly Record<string, number>[]): Record<string, Spread> {
  const names = Object.keys(rounds[0] ?? {});
  return Object.fromEntries(
    names.map((name) => [name, spread(rounds.map((round) => round[name] ?? Number.NaN))]),
  );
}

/** The processors and the memory that everything shares. */
export const machine = (): string =>
  `${cpus().length} processors (${cpus()[0]?.model}), ${Math.round(totalmem() / 2 ** 30)} GB, Linux, Bun ${Bun.version}`;

export const resultsFolder = join(import.meta.dir, "results");
export const resultsPath = (benchmark: string): string => join(resultsFolder, `${benchmark}.json`);

/** Writes the file; four digits say all that a measurement can. */
export async function writeResults(results: Results): Promise<void> {
  const rounded = (_: string, value: unknown) =>
    typeof value === "number" ? Number(value.toPrecision(4)) : value;
  await Bun.write(resultsPath(results.benchmark), `${JSON.stringify(results, rounded, 2)}\n`);
}

/** A table in Markdown: a row each, a column for each figure that any row has. */
export function table(rows: readonly ResultRow[]): string {
  const names = [...new Set(rows.flatMap(({ figures }) => Object.keys(figures)))];
  const lines = rows.map(({ side, load, figures, noFigure }) => [
    side,
    load,
    ...names.map((name, at) =>
      noFigure === undefined ? cell(figures[name]) : at === 0 ? `no figure: ${noFigure}` : "",
    ),
  ]);
  const line = (cells: string[]) => `| ${cells.join(" | ")} |`;
  return [
    line(["side", "load", ...names]),
    line(["---", "---", ...names.map(() => "--:")]),
    ...lines.map(line),
  ].join("\n");
}

function cell(figure: Spread | undefined): string {
  if (!figure) return "";
  const { min, median, max } = figure;
  return min === max ? short(median) : `**${short(median)}** (${short(min)}–${short(max)})`;
}

function short(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString("en");
  return value >= 10 ? value.toFixed(0) : value.toFixed(1);
}
