/** How a process ends that can't drain, or is broken, as whoever started it sees that: exit code and last words. */
import { expect, test } from "bun:test";
import { capture } from "../../kit/capture.ts";

/** Runs a program beside the files of this folder, in which `start` installs the handlers of a drain that never ends. */
async function run(program: string) {
  const code = `
    import { createLogger } from "./log.ts";
    import { onShutdown } from "./shutdown.ts";
    const log = createLogger("test", { INSTANCE: "one", LOG_LEVEL: "info" });
    const never = () => new Promise(() => setInterval(() => undefined, 1_000));
    const start = (timeoutMs = 60_000) => onShutdown({ log, timeoutMs, drain: never });
    ${program}
    await never();`;
  const options = { cwd: import.meta.dir, stderr: "inherit", timeout: 20_000 } as const;
  const child = Bun.spawn([process.execPath, "-e", code], options);
  const last = (await new Response(child.stdout).text()).trim().split("\n").at(-1) ?? "";
  return { code: await child.exited, words: JSON.parse(last).msg as string };
}

test.concurrent.each([
  [
    "a drain that outlasts its limit",
    "start(10); process.kill(process.pid, 'SIGTERM');",
    /outlasted its limit/,
  ],
  ["an exception that nobody caught", "start(); setTimeout(() => { throw new Error('no'); });", /at once/],
  ["a rejection that nobody heard", "start(); void Promise.reject(new Error('no'));", /at once/],
  ["a handler that calls process.exit(0)", "start(); process.exit(0);", /process\.exit is not for handlers/],
])(
  "%s: exit 1",
  async (_, program, words) => {
    expect(await run(program)).toEqual({ code: 1, words: expect.stringMatching(words) });
  },
  120_000,
);

test.concurrent.each([
  ["is on a full disk", '"$0" -e "$1" > /dev/full'],
  ["is read by nobody any more", '"$0" -e "$1" | true; exit $PIPESTATUS'],
])("a log that %s ends nothing: the process drains when it is told to", async (_, command) => {
  const program = `
    import { createLogger } from "./log.ts";
    import { onShutdown } from "./shutdown.ts";
    const log = createLogger("test", { INSTANCE: "one", LOG_LEVEL: "info" });
    onShutdown({ log, timeoutMs: 60_000, drain: () => Promise.resolve() });
    const failed = () => new Promise((told) => process.stdout.write("a line\\n", told));
    while (!(await failed())) log.info("another line");
    process.kill(process.pid, "SIGTERM");
    setInterval(() => undefined, 1_000);`;
  const argv = ["bash", "-c", command, process.execPath, program];
  expect((await capture(argv, { limitMs: 60_000, cwd: import.meta.dir })).code).toBe(0);
});
