import { expect, test } from "bun:test";
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

test("a program that is not there is an ending like any other", async () => {
  expect((await capture(["no-such-program"], { limitMs: 100 })).code).toBe(127);
});

test("one that has to succeed and does not says what it was and what it said last", async () => {
  const failing = must(["sh", "-c", "echo why >&2; exit 7"], { limitMs: 10_000 });
  await expect(failing).rejects.toThrow(/^sh -c .*: exit code 7\n {2}why$/s);
});
