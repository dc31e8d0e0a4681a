import { describe, expect, test } from "bun:test";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { type BareMachine, bareMachine } from "../../kit/testing/bare-machine.ts";
import { runSuites } from "./run-suites.ts";
import { type Suite, suites } from "./suites.ts";

const it = (name: string, body: string) =>
  `import { expect, test } from "bun:test"; test(${JSON.stringify(name)}, async () => { ${body} });\n`;
const good = it("good", "expect(1).toBe(1);");
const bad = it("bad", "expect(1).toBe(2);");
const suite: Suite = { name: "tests", what: "made up", limitMinutes: 1, files: /./ };

/** Runs `suites` over a tree of these files, in processes of their own, as `make test` does. */
async function runOver(machine: BareMachine, files: Record<string, string>, ...suites: Suite[]) {
  for (const [path, text] of Object.entries(files)) await Bun.write(join(machine.folder, path), text);
  const output = openSync(join(machine.folder, "output"), "w");
  const passed = await runSuites(
    suites,
    {
      root: machine.folder,
      env: process.env,
      stop: machine.stop,
      output,
      withoutContainers: machine.env.WITHOUT,
      maySkip: machine.env.CI !== "true",
    },
    machine.say,
  );
  closeSync(output);
  return { passed, lastLine: machine.said.at(-1), said: machine.said.join("\n") };
}

test("passes when all passes, and sums over suites", async () => {
  using machine = bareMachine();
  const unit = { ...suite, name: "unit", files: /^unit/ };
  const more = { ...suite, name: "more", files: /^more/ };
  const files = { "unit/a.test.ts": good + good, "more/b.test.ts": good, "node_modules/c.test.ts": bad };
  expect(await runOver(machine, files, unit, more)).toMatchObject({
    passed: true,
    lastLine: "3 passed, 0 failed",
  });
});

describe("files side by side", () => {
  const sideBySide = { ...suite, filesAtOnce: 2 };
  /** Passes only while the other one runs. */
  const meets = (own: string, other: string) =>
    it(
      `meets ${other}`,
      `await Bun.write("${own}", ""); while (!(await Bun.file("${other}").exists())) await Bun.sleep(5);`,
    );

  test("run at the same time", async () => {
    using machine = bareMachine();
    const files = { "a.test.ts": meets("a", "b"), "b.test.ts": meets("b", "a"), "c.test.ts": good };
    expect(await runOver(machine, files, sideBySide)).toMatchObject({ lastLine: "3 passed, 0 failed" });
  });

  test("fail alone: what takes its process with it, can't be loaded or has no test is named", async () => {
    using machine = bareMachine();
    const files = {
      "a.test.ts": good + it("dies", 'process.kill(process.pid, "SIGKILL"); await Bun.sleep(60_000);'),
      "b.test.ts": good,
      "c.test.ts": 'import "./absent.ts";',
      "d.test.ts": "export {};",
    };
    const { said, ...result } = await runOver(machine, files, sideBySide);
    expect(result).toMatchObject({ passed: false, lastLine: "2 passed, 3 failed" });
    for (const file of ["a", "c", "d"]) expect(said).toContain(`FAILED: ${file}.test.ts`);
  });
});

describe("fails", () => {
  test("by what can't be cleaned up after it; what the others came to is told all the same", async () => {
    using machine = bareMachine();
    const cleanUp = () => Promise.reject(new Error("it is still there"));
    const files = { "unit/a.test.ts": good, "more/b.test.ts": good };
    const unit = { ...suite, name: "unit", files: /^unit/, cleanUp };
    const { said, ...result } = await runOver(machine, files, unit, {
      ...suite,
      name: "more",
      files: /^more/,
    });
    expect(result).toMatchObject({ passed: false, lastLine: "2 passed, 1 failed" });
    expect(said).toContain("FAILED: not cleaned up: Error: it is still there");
  });

  test("by a failing test, which is named at the end", async () => {
    using machine = bareMachine();
    const { said, ...result } = await runOver(machine, { "a.test.ts": good + bad }, suite);
    expect(result).toEqual({ passed: false, lastLine: "1 passed, 1 failed" });
    expect(said).toMatch(/FAILED: a\.test\.ts > bad\n +AssertionError: expect\(received\)/);
  });

  test("by a suite that takes its process with it, while the others go on", async () => {
    using machine = bareMachine();
    const files = {
      "a.test.ts": good + it("dies", 'process.kill(process.pid, "SIGKILL");'),
      "b.test.ts": good,
    };
    const result = await runOver(machine, files, { ...suite, files: /^a/ }, { ...suite, files: /^b/ });
    expect(result).toMatchObject({ passed: false, lastLine: "1 passed, 1 failed" });
    expect(result.said).toContain("no report: exit code 137");
  });

  test("by a file that can't be loaded, or has no test", async () => {
    using machine = bareMachine();
    const files = { "a.test.ts": good, "b.test.ts": 'import "./absent.ts";', "c.test.ts": "export {};" };
    const result = await runOver(machine, files, suite);
    expect(result).toMatchObject({ passed: false, lastLine: "1 passed, 2 failed" });
  });

  test("by a suite that hangs, ended at its limit", async () => {
    using machine = bareMachine();
    const files = { "a.test.ts": it("hangs", "await new Promise((end) => setTimeout(end, 600_000));") };
    const result = await runOver(machine, files, { ...suite, limitMinutes: 0.02 });
    expect(result).toMatchObject({ passed: false, lastLine: "0 passed, 1 failed" });
    expect(result.said).toContain("stopped at its limit of 0.02 minutes");
  });

  test("by a command that fails or isn't there, each counting as a test", async () => {
    using machine = bareMachine();
    const commands = { fine: ["true"], failing: ["false"], absent: ["no-such-program"] };
    const result = await runOver(machine, {}, { name: "check", what: "made up", limitMinutes: 1, commands });
    expect(result).toMatchObject({ passed: false, lastLine: "1 passed, 2 failed" });
  });
});

test("what a suite may leave behind is removed, whether it passes, fails or is told to stop", async () => {
  using machine = bareMachine();
  const controller = new AbortController();
  let cleanedUp = 0;
  const cleanUp = async () => ++cleanedUp;
  machine.stop = controller.signal;
  await runOver(machine, { "a.test.ts": good, "b.test.ts": bad }, { ...suite, cleanUp });
  expect(cleanedUp).toBe(1);
  controller.abort(new Error("enough"));
  await expect(runOver(machine, {}, { ...suite, cleanUp })).rejects.toThrow("enough");
  expect(cleanedUp).toBe(2);
});

describe("tests on containers, where there are none,", () => {
  const onContainers = { ...suite, onContainers: true };

  test("are skipped, and loudly so", async () => {
    using machine = bareMachine();
    machine.env.WITHOUT = "no daemon";
    const result = await runOver(machine, { "a.test.ts": bad }, onContainers);
    expect(result).toMatchObject({ passed: true, lastLine: "0 passed, 0 failed, 1 skipped" });
    expect(result.said).toContain("SKIPPED, all of it: no daemon");
  });

  test("fail in CI", async () => {
    using machine = bareMachine();
    machine.env.WITHOUT = "no daemon";
    machine.env.CI = "true";
    const result = await runOver(machine, { "a.test.ts": good }, onContainers);
    expect(result).toMatchObject({ passed: false, lastLine: "0 passed, 1 failed" });
    expect(result.said).toContain("FAILED: a.test.ts: no daemon");
  });
});

test("a suite that hangs is ended before CI's ninety minutes are over", () => {
  // The others take less than half an hour together.
  for (const { limitMinutes } of suites) expect(limitMinutes).toBeLessThanOrEqual(50);
});
