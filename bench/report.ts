/**
 * `bun bench/report.ts` writes docs/benchmarks.md from what lies in bench/results/: the targets with what was measured,
 * a chart, and each benchmark's table with its command, machine and date.
 */
import { join } from "node:path";
import { ownCommandLine } from "../kit/arguments.ts";
import { must } from "../kit/capture.ts";
import { benchmarkNames } from "./names.ts";
import { type ResultRow, type Results, resultsFolder, resultsPath, table } from "./results.ts";
import { verdicts } from "./targets.ts";
import type { TargetVerdict } from "./verdict.ts";

const barWidth = 50;
const chartLoads = ["64 connections", "1024 connections"];

/** The document. */
export function report(all: ReadonlyMap<string, Results>): string {
  const direct = all.get("direct");
  return [
    "# Benchmarks",
    "Everything on one machine: brokers, load generator and the programs that are measured. Figures move from machine to machine, and here by up to three times from day to day: what counts is their ratio within a run, in which the sides are measured in turn. The newest runs are shown, whichever day they met: p99 right after `make up` at 500/s was 5,219 and 848 ms on 2026-11-29, 634 ms on 2026-11-28. Given are the median of the rounds and, in parentheses, minimum and maximum. `µs` are CPU time an order, `MB` the peak of the largest process. A side that did not append what it accepted would have no figure.",
    "## Targets",
    targetTable(verdicts(new Map(all))),
    ...(direct ? ["## Orders a second", ...chartLoads.map((load) => chart(direct.rows, load))] : []),
    ...[...all.values()].map(section),
    "",
  ]
    .join("\n\n")
    .trimEnd();
}

const targetTable = (all: readonly TargetVerdict[]): string =>
  [
    "| measure | target | measured | met | what limits |",
    "| --- | --- | --- | --- | --- |",
    ...all.map(
      ({ measure, target, measured, met, limit = "" }) =>
        `| ${measure} | ${target} | ${measured} | ${met ? "yes" : "**no**"} | ${met ? "" : limit} |`,
    ),
  ].join("\n");

function chart(rows: readonly ResultRow[], load: string): string {
  const bars = rows
    .filter((row) => row.load === load && row.figures["orders/s"])
    .map(({ side, figures }) => ({ side, rate: figures["orders/s"]?.median ?? 0 }))
    .toSorted((a, b) => b.rate - a.rate);
  const most = Math.max(...bars.map(({ rate }) => rate));
  const longest = Math.max(...bars.map(({ side }) => side.length));
  const lines = bars.map(
    ({ side, rate }) =>
      `    ${side.padEnd(longest)}  ${"█".repeat(Math.max(1, Math.round((rate / most) * barWidth)))} ${Math.round(rate).toLocaleString("en")}`,
  );
  return [`${load}:`, lines.join("\n")].join("\n\n");
}

const section = ({ benchmark, what, command, date, machine, rows }: Results): string =>
  [`## ${benchmark}`, `${what}. \`${command}\`, ${date.slice(0, 10)}, ${machine}.`, table(rows)].join("\n\n");

if (import.meta.main) {
  const usage = "bun bench/report.ts     writes docs/benchmarks.md from bench/results/, and takes no options";
  ownCommandLine(usage, {}, () => undefined);
  const found = new Map<string, Results>();
  for (const name of benchmarkNames) {
    const file = Bun.file(resultsPath(name));
    if (await file.exists()) found.set(name, await file.json());
  }
  const root = join(import.meta.dir, "..");
  const document = join(root, "docs", "benchmarks.md");
  await Bun.write(document, `${report(found)}\n`);
  const biome = join(root, "node_modules", ".bin", "biome");
  await must([biome, "format", "--write", document, resultsFolder], { limitMs: 60_000 });
}
