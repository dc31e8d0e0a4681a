// What came of a suite: counted from Bun's own report file, never from what scrolled by. A file that ran no test is a
// failure, whatever the exit code says: it broke while loading, it took the process with it, or it tests nothing.

/** Of each error. */
const shownErrorLines = 12;

export interface SuiteOutcome {
  passed: number;
  skipped: number;
  /** The names of what failed, each with the first lines of its error below it where that is known. */
  failures: string[];
}

/** Reads a JUnit report as `bun test` writes it, of a run of `files` that ended as told; undefined: no report. */
export function readReport(
  report: string | undefined,
  files: string[],
  ended: string | undefined,
): SuiteOutcome {
  const [tests = 0, failed = 0, skipped = 0] = ["tests", "failures", "skipped"].map((name) =>
    Number(new RegExp(`<testsuites [^>]*\\b${name}="(\\d+)"`).exec(report ?? "")?.[1]),
  );
  if (report === undefined || Number.isNaN(tests + failed + skipped)) {
    return { passed: 0, skipped: 0, failures: [`no report: ${ended ?? "ended"}`] };
  }
  const ran = new Set(
    [...report.matchAll(/<testsuite [^>]*\bfile="([^"]*)"/g)].map(([, file]) => decode(file)),
  );
  const failures = [
    ...failedTests(report),
    ...files.filter((file) => !ran.has(file)).map((file) => `${file}: no test of it ran`),
  ];
  while (failures.length < failed) failures.push("a test without a name");
  if (failures.length === 0 && ended) failures.push(ended);
  return { passed: tests - failed - skipped, skipped, failures };
}

function failedTests(report: string): string[] {
  const cases = report.matchAll(
    /<testcase name="([^"]*)" classname="([^"]*)"[^>]*\bfile="([^"]*)"[^>]*>\s*<failure([^>]*?)(?:\/>|>([^<]*))/g,
  );
  return [...cases].map(([, name, group, file, attributes = "", whole]) => {
    const title = [file, group, name].map(decode).filter(Boolean).join(" > ");
    const error = whole || /\bmessage="([^"]*)"/.exec(attributes)?.[1];
    return [title, ...errorLines(decode(error))].join("\n      ");
  });
}

/** The beginning of an error, and where it was thrown: what scrolled by may be all that is kept, and it is long. */
function errorLines(error: string): string[] {
  const lines = error.split("\n").filter((line) => line.trim() !== "");
  const thrown = lines.findIndex((line) => /^\s+at /.test(line));
  if (thrown < 0) return lines.slice(0, shownErrorLines);
  return [...lines.slice(0, Math.min(thrown, shownErrorLines)), lines[thrown]?.trim() ?? ""];
}

function decode(text = ""): string {
  const named: Record<string, string> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
  return text.replace(/&(?:#(\d+)|(\w+));/g, (all, code, name) =>
    code ? String.fromCodePoint(+code) : (named[name] ?? all),
  );
}

/** The last line of a run, as CI reads it. */
export function lastLine(outcomes: SuiteOutcome[]): string {
  const sum = (count: (outcome: SuiteOutcome) => number) =>
    outcomes.reduce((total, outcome) => total + count(outcome), 0);
  const skipped = sum((outcome) => outcome.skipped);
  const counted = `${sum(({ passed }) => passed)} passed, ${sum(({ failures }) => failures.length)} failed`;
  return skipped > 0 ? `${counted}, ${skipped} skipped` : counted;
}
