// Runs one suite as child processes whose output a person can follow, and tells what came of it. A suite that hangs
// is ended at its limit, with everything that it started; whatever goes wrong counts as a failure.
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Ending, run } from "../../kit/child.ts";
import { readReport, type SuiteOutcome } from "./report.ts";
import type { Suite } from "./suites.ts";

/** For a test that sets no limit itself. Tests wait for conditions, so it only ends what hangs: on a starved machine too. */
const TEST_LIMIT_MS = 120_000;

export interface SuiteCircumstances {
  /** The tree under test. */
  root: string;
  env: Record<string, string | undefined>;
  stop: AbortSignal;
  /** Where the suites' own output goes: ours, or an open file. */
  output?: "inherit" | number;
  /** Why tests on containers can't run, if they can't. */
  withoutContainers?: string | undefined;
  /** Whether what can't run may be skipped. */
  maySkip: boolean;
}

/** The test files below `root`. */
function testFiles(root: string): string[] {
  return [...new Bun.Glob("**/*.test.{ts,tsx}").scanSync({ cwd: root })]
    .filter((file) => !/(^|\/)node_modules\//.test(file))
    .sort();
}

/** Runs a suite to its outcome; rejects only if we are told to stop. */
export async function runSuite(suite: Suite, circumstances: SuiteCircumstances): Promise<SuiteOutcome> {
  if (suite.commands) return runCommands(suite, suite.commands, circumstances);
  const files = testFiles(circumstances.root).filter((file) => suite.files?.test(file));
  if (files.length === 0) return { passed: 0, skipped: 0, failures: [] };
  const { onContainers = false } = suite;
  const { withoutContainers, maySkip } = circumstances;
  if (!onContainers || !withoutContainers) {
    const left: string[] = [];
    const outcome = await runTests(suite, files, circumstances).finally(async () => {
      await suite.cleanUp?.().catch((error) => left.push(`not cleaned up: ${error}`));
    });
    return { ...outcome, failures: [...outcome.failures, ...left] };
  }
  if (maySkip) return { passed: 0, skipped: files.length, failures: [] };
  return { passed: 0, skipped: 0, failures: files.map((file) => `${file}: ${withoutContainers}`) };
}

async function runCommands(
  suite: Suite,
  commands: Record<string, string[]>,
  where: SuiteCircumstances,
): Promise<SuiteOutcome> {
  const outcome: SuiteOutcome = { passed: 0, skipped: 0, failures: [] };
  for (const [name, argv] of Object.entries(commands)) {
    const trouble = await runToEnd(suite, argv, where);
    if (trouble) outcome.failures.push(`${name}: ${trouble}`);
    else outcome.passed++;
  }
  return outcome;
}

async function runTests(suite: Suite, files: string[], where: SuiteCircumstances): Promise<SuiteOutcome> {
  // Its temporary files go with it, even if it is ended before it can clean up. Some belong to other users.
  const folder = mkdtempSync(join(tmpdir(), "coffee-orders-test-"));
  chmodSync(folder, 0o755);
  const env = { ...where.env, TMPDIR: folder };
  try {
    const path = join(folder, "report.xml");
    const options = [`--timeout=${TEST_LIMIT_MS}`, "--reporter=junit", `--reporter-outfile=${path}`];
    if (suite.filesAtOnce) options.push(`--parallel=${suite.filesAtOnce}`, "--no-isolate");
    const paths = files.map((file) => `./${file}`);
    const trouble = await runToEnd(suite, [process.execPath, "test", ...options, ...paths], {
      ...where,
      env,
    });
    const written = Bun.file(path);
    return readReport((await written.exists()) ? await written.text() : undefined, files, trouble);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Undefined if the program ended well, else how it ended. */
async function runToEnd(
  suite: Suite,
  argv: string[],
  { root, env, stop, output = "inherit" }: SuiteCircumstances,
): Promise<string | undefined> {
  let ending: Ending;
  try {
    ending = await run(argv, { limitMs: suite.limitMinutes * 60_000, stop, cwd: root, env, output });
  } catch (error) {
    if (stop.aborted) throw error;
    return String(error);
  }
  if (ending.timedOut) return `stopped at its limit of ${suite.limitMinutes} minutes`;
  return ending.exitCode === 0 ? undefined : `exit code ${ending.exitCode}`;
}
