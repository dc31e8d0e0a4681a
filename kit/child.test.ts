import { describe, expect, test } from "bun:test";
import { existsSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./child.ts";
import { bareMachine } from "./testing/bare-machine.ts";
import { comesTrue } from "./until.ts";

const never = new AbortController().signal;

/** A shell that starts a background process, writes its id to `file` and then does `rest`. */
const withChild = (file: string, rest: string) => ["sh", "-c", `sleep 600 & echo $! > "$0"; ${rest}`, file];

const entryThatRuns = (argv: string[]) => `
  import { run, stopWhenTold } from ${JSON.stringify(join(import.meta.dir, "child.ts"))};
  try { await run(${JSON.stringify(argv)}, { limitMs: 60_000, stop: stopWhenTold() }); }
  catch (error) { console.log(error.message); }
  finally { console.log("cleaned up"); }
`;

async function childOf(file: string): Promise<number> {
  await comesTrue(
    async () => (await Bun.file(file).exists()) && (await Bun.file(file).text()).endsWith("\n"),
  );
  return Number(await Bun.file(file).text());
}

/** Ended, if perhaps not yet reaped by whoever inherited it. */
const isGone = (pid: number) =>
  !existsSync(`/proc/${pid}`) || /\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));

describe("a program", () => {
  test("that ends by itself ends with its exit code, and what it left running is ended", async () => {
    using machine = bareMachine();
    const file = join(machine.folder, "pid");
    expect(await run(withChild(file, "exit 3"), { limitMs: 60_000, stop: never })).toEqual({
      exitCode: 3,
      timedOut: false,
    });
    expect(await comesTrue(async () => isGone(await childOf(file)))).toBe(true);
  });

  test("that hangs is ended at its limit, with what it started", async () => {
    using machine = bareMachine();
    const file = join(machine.folder, "pid");
    const { timedOut } = await run(withChild(file, "wait"), { limitMs: 300, stop: never });
    expect(timedOut).toBe(true);
    expect(await comesTrue(async () => isGone(await childOf(file)))).toBe(true);
  });

  test("that won't end when told to is killed", async () => {
    const stubborn = ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"];
    const { timedOut } = await run(stubborn, { limitMs: 200, graceMs: 200, stop: never });
    expect(timedOut).toBe(true);
  });

  test("is ended when we are told to stop, and has no ending to go on with", async () => {
    using machine = bareMachine();
    const file = join(machine.folder, "pid");
    const controller = new AbortController();
    const running = run(withChild(file, "wait"), { limitMs: 60_000, stop: controller.signal });
    const pid = await childOf(file);
    controller.abort(new Error("enough"));
    await expect(running).rejects.toThrow("enough");
    expect(await comesTrue(() => isGone(pid))).toBe(true);
    await expect(run(["true"], { limitMs: 1_000, stop: controller.signal })).rejects.toThrow("enough");
  });
});

test("an entry that is ended with its parent gets to end what it started itself", async () => {
  using machine = bareMachine();
  const file = join(machine.folder, "pid");
  const inner = entryThatRuns(withChild(file, "wait"));
  const controller = new AbortController();
  // The leader dies at once; the entry, in its group, still has to end its own programs.
  const argv = ["sh", "-c", '"$0" -e "$1" & wait', process.execPath, inner];
  const running = run(argv, { limitMs: 60_000, stop: controller.signal, output: openSync("/dev/null", "w") });
  const pid = await childOf(file);
  controller.abort(new Error("enough"));
  await expect(running).rejects.toThrow("enough");
  expect(await comesTrue(() => isGone(pid))).toBe(true);
});

test("an entry that is told to stop takes its programs with it and gets to clean up", async () => {
  using machine = bareMachine();
  const file = join(machine.folder, "pid");
  const entry = entryThatRuns(withChild(file, "wait"));
  const child = Bun.spawn([process.execPath, "-e", entry], { stdout: "pipe" });
  const pid = await childOf(file);
  child.kill("SIGTERM");
  // Just after it is no second time: `bun run` hands on the Ctrl-C that the terminal has sent to all.
  child.kill("SIGINT");
  expect(await new Response(child.stdout).text()).toMatch(/^stopped by SIG(TERM|INT)\ncleaned up\n$/);
  expect(await child.exited).toBe(0);
  expect(await comesTrue(() => isGone(pid))).toBe(true);
});
