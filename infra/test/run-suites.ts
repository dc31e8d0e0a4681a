// Runs suites one after another and says at the end, in a table, what failed and how long each took. Its last line is
// "N passed, N failed", with ", N skipped" if any were.
import { lastLine, type SuiteOutcome } from "./report.ts";
import { runSuite, type SuiteCircumstances } from "./run-suite.ts";
import type { Suite } from "./suites.ts";

/** Runs `suites`; true if nothing failed. */
export async function runSuites(
  suites: Suite[],
  circumstances: SuiteCircumstances,
  say: (line: string) => void,
): Promise<boolean> {
  const outcomes: SuiteOutcome[] = [];
  const rows: string[] = [];
  for (const suite of suites) {
    say(`\n=== ${suite.name}: ${suite.what} ===`);
    const started = performance.now();
    const outcome = await runSuite(suite, circumstances);
    const seconds = (performance.now() - started) / 1000;
    outcomes.push(outcome);
    rows.push(`${suite.name.padEnd(8)} ${lastLine([outcome])} (${seconds.toFixed(1)} s)`);
    rows.push(...outcome.failures.map((failure) => `  FAILED: ${failure}`));
    if (suite.onContainers && outcome.skipped > 0)
      rows.push(`  SKIPPED, all of it: ${circumstances.withoutContainers}`);
  }
  for (const row of ["", ...rows, "", lastLine(outcomes)]) say(row);
  return outcomes.every(({ failures }) => failures.length === 0);
}
