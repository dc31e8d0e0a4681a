import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { capture, must } from "./capture.ts";

test("what a command says comes apart, line by line as it comes", async () => {
  const lines: string[] = [];
  const argv = ["sh", "-c", "echo one; echo two >&2; printf three; exit 3"];
  const ended = await capture(argv, { limitMs: 10_000, onLine: (line) => lines.push(line) });
  expect(ended).toEqual({ code: 3, stdout: "one\nthree", stderr: "two\n" });
  expect(lines.toSorted()).toEqual(["one", "two"]);
});

test("a command that overruns its limit is ended", async () => {
  const { code, stderr } = await capture(["sleep", "60"], { limitMs: 100 });
  expect(code).toBe(124);
  expect(stderr).toContain("not done after 0.1 s");
});

test("one that does not end when it is told to is killed", async () => {
  const stubborn = ["sh", "-c", "trap '' TERM; sleep 60 & wait; sleep 60"];
  const { code, stderr } = await capture(stubborn, { limitMs: 100, graceMs: 100 });
  expect(code).toBe(124);
  expect(stderr).toContain("not done after 0.1 s");
});

test("what the command itself started is ended with it", async () => {
  const startedMs = performance.now();
  expect((await capture(["sh", "-c", "sleep 60; true"], { limitMs: 100 })).code).toBe(124);
  expect(performance.now() - startedMs).toBeLessThan(20_000);
});

test("one that is to be stopped from the start is ended as well", async () => {
  const { code } = await capture(["sleep", "60"], { limitMs: 60_000, stop: AbortSignal.abort() });
  expect(code).toBe(143);
});

test("a Ctrl-C is for us: the command under way is waited for, and comes to its own end", async () => {
  const script = `
    import { capture } from ${JSON.stringify(join(import.meta.dir, "capture.ts"))};
    process.on("SIGINT", () => console.log("told"));
    const argv = ["sh", "-c", "echo begun; read line < $0 && echo $line", process.argv[1]];
    console.log((await capture(argv, { limitMs: 20_000, onLine: console.log })).code);`;
  const folder = mkdtempSync(join(tmpdir(), "coffee-orders-capture-"));
  try {
    const fifo = join(folder, "fifo");
    await must(["mkfifo", fifo], { limitMs: 10_000 });
    const child = Bun.spawn([process.execPath, "-e", script, fifo], {
      ...{ detached: true, stdin: "ignore", stdout: "pipe", stderr: "inherit" },
    });
    const decoder = new TextDecoder();
    let said = "";
    for await (const chunk of child.stdout) {
      const before = said;
      said += decoder.decode(chunk, { stream: true });
      // As a terminal does it: to the whole group.
      if (!before.includes("begun") && said.includes("begun")) process.kill(-child.pid, "SIGINT");
      // By who waits for a reader.
      if (!before.includes("told") && said.includes("told"))
        await must(["sh", "-c", "echo done > $0", fifo], { limitMs: 10_000 });
    }
    expect(said).toBe("begun\ntold\ndone\n0\n");
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 120_000);

test("a program that is not there is an ending like any other", async () => {
  expect((await capture(["no-such-program"], { limitMs: 100 })).code).toBe(127);
});

test("one that has to succeed and does not says what it was and what it said last", async () => {
  const failing = must(["sh", "-c", "echo why >&2; exit 7"], { limitMs: 10_000 });
  await expect(failing).rejects.toThrow(/^sh -c .*: exit code 7\n {2}why$/s);
});
