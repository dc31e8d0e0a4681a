import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../until.ts";
import { createProcesses, lastWords } from "./processes.ts";
import { processesOf } from "./testing/processes-of.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "coffee-orders-demo-processes-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

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
    await until(() => child.output().split("started").length - 1 === starts);
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
  await until(() => [polite, stubborn].every((child) => child.output() === "ready\n"));
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

test("a parent that is killed with -9 takes its children with it, also one that it had only just started", async () => {
  const parent = Bun.spawn(
    [
      process.execPath,
      "-e",
      `import { createProcesses } from ${JSON.stringify(join(import.meta.dir, "processes.ts"))};
       const processes = createProcesses(${JSON.stringify(folder)});
       const start = () => processes.start({ name: "child", argv: ["sleep", "600"] });
       start();
       await Bun.sleep(300);
       console.log("started");
       start();
       process.kill(process.pid, "SIGKILL");`,
    ],
    { env: { ...process.env, TMPDIR: folder }, stdout: "pipe" },
  );
  expect(await new Response(parent.stdout).text()).toBe("started\n");
  await parent.exited;
  expect(await until(() => processesOf(folder).length === 0)).toBe(true);
});
