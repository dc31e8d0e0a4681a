import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { comesTrue } from "../../kit/until.ts";
import { createProcesses, lastWords } from "./processes.ts";
import { processesOf } from "./testing/processes-of.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "coffee-orders-demo-processes-"));
});
afterEach(() => {
  for (const { pid } of processesOf(folder)) process.kill(pid, "SIGKILL");
  rmSync(folder, { recursive: true });
});

test("a child's output and its ending are kept", async () => {
  const child = createProcesses(folder).start({
    name: "child",
    argv: ["sh", "-c", 'echo "$WORD"; echo fault >&2; exit 3'],
    env: { WORD: "hello" },
  });
  expect(await child.ended).toBe("exit code 3");
  expect(child.running).toBe(false);
  expect(child.output()).toBe("hello\nfault\n");
  expect(lastWords(child, 1)).toBe("  | fault");
});

test("a child inherits nothing that is meant for another cluster", async () => {
  process.env.KAFKA_BROKERS = "elsewhere:9092";
  try {
    const child = createProcesses(folder).start({ name: "child", argv: ["env"] });
    await child.ended;
    expect(child.output()).toContain("PATH=");
    expect(child.output()).not.toContain("elsewhere");
  } finally {
    delete process.env.KAFKA_BROKERS;
  }
});

test("a kill is told apart from an exit, and a second start writes on in the same log", async () => {
  const processes = createProcesses(folder);
  const program = { name: "child", argv: ["sh", "-c", "echo started; exec sleep 600"] };
  for (const starts of [1, 2]) {
    const child = processes.start(program);
    await comesTrue(() => child.output().split("started").length - 1 === starts);
    child.signal("SIGKILL");
    expect(await child.ended).toBe("SIGKILL");
  }
});

test("to stop is to ask first, then to kill", async () => {
  const processes = createProcesses(folder);
  const start = (name: string, trap: string) =>
    processes.start({ name, argv: ["sh", "-c", `${trap}; echo ready; while :; do sleep 0.05; done`] });
  const polite = start("polite", "trap 'exit 7' TERM");
  const stubborn = start("stubborn", "trap '' TERM");
  await comesTrue(() => [polite, stubborn].every((child) => child.output() === "ready\n"));
  await processes.stop(300);
  expect(await polite.ended).toBe("exit code 7");
  expect(await stubborn.ended).toBe("SIGKILL");
});

test("only the named ones are stopped", async () => {
  const processes = createProcesses(folder);
  const [one, other] = ["one", "other"].map((name) => processes.start({ name, argv: ["sleep", "600"] }));
  if (!one || !other) throw new Error("two were started");
  await processes.stop(10_000, [one]);
  expect([one.running, other.running]).toEqual([false, true]);
  processes.kill();
  expect(await other.ended).toBe("SIGKILL");
});

/** A parent in a process of its own that starts a child and dies of -9 when told, with this PATH. */
function parentOfOne(path: string | undefined) {
  const parent = Bun.spawn(
    [
      process.execPath,
      "-e",
      `import { createProcesses } from ${JSON.stringify(join(import.meta.dir, "processes.ts"))};
       createProcesses(${JSON.stringify(folder)}).start({ name: "child", argv: ["sleep", "600"] });
       process.stdin.once("data", () => process.kill(process.pid, "SIGKILL"));`,
    ],
    { env: { ...process.env, PATH: path, TMPDIR: folder }, stdin: "pipe" },
  );
  const seen = (text: string) => () => processesOf(folder).some(({ argv }) => argv.join(" ").includes(text));
  return {
    sees: (text: string) => comesTrue(seen(text)),
    async dies(): Promise<void> {
      parent.stdin.write("now\n");
      parent.stdin.flush();
      await parent.exited;
    },
  };
}

test("a parent that is killed with -9 takes its children with it", async () => {
  const parent = parentOfOne(process.env.PATH);
  expect(await parent.sees("sleep 600")).toBe(true);
  await parent.dies();
  expect(await comesTrue(() => processesOf(folder).length === 0)).toBe(true);
});

test("a child whose parent died before the child was tied to it does not start", async () => {
  const late = join(folder, "setpriv");
  const log = join(folder, "child.log");
  const wait = "while kill -0 $PPID 2>/dev/null; do sleep 0.02; done";
  await Bun.write(late, `#!/bin/sh\n${wait}\necho tied >&2\nexec ${Bun.which("setpriv")} "$@"\n`);
  chmodSync(late, 0o755);
  const parent = parentOfOne(`${folder}:${process.env.PATH}`);
  expect(await parent.sees(late)).toBe(true);
  await parent.dies();
  expect(await comesTrue(async () => (await Bun.file(log).text()) === "tied\n")).toBe(true);
  expect(await comesTrue(() => processesOf(folder).length === 0)).toBe(true);
});
