import { expect, test } from "bun:test";
import { join } from "node:path";
import { capture } from "../kit/capture.ts";

const prove = (...argv: string[]) =>
  capture([process.execPath, join(import.meta.dir, "prove.ts"), ...argv], {
    limitMs: 60_000,
    // Nothing is there, and nothing can be installed.
    env: { PATH: "/nowhere", SECURE: "" },
  });

test("a run that could not be put to the test says why in a line, and ends with exit 2", async () => {
  const { code, stdout, stderr } = await prove();
  expect(code).toBe(2);
  expect(stdout + stderr).toContain("Missing here");
  expect(stdout + stderr).toContain("Nothing is proven, neither way.");
  expect(stdout + stderr).not.toContain("    at ");
});

test("a report that can't be written is found out before the run", async () => {
  const { code, stdout, stderr } = await prove("--out", "/dev/null/prove");
  expect(code).toBe(2);
  expect(stdout + stderr).toContain("No report can be written: ENOTDIR");
  expect(stdout + stderr).not.toContain("    at ");
});

test.each([
  [["--faults", "no-such-fault"], '"no-such-fault" is no fault. There are: none, consumer-kill'],
  [["--duration", "1"], "--duration 1: no fault fits into that duration"],
  [
    ["--faults", "broker-disk-full"],
    "broker-disk-full: only a topology of its own has a disk that may be filled: --fresh",
  ],
  [
    ["--faults", "none,rotate-api-keys"],
    "rotate-api-keys: there are users and keys to change with SECURE=1 only.",
  ],
])("%p is refused before anything is looked for", async (argv, words) => {
  const { code, stdout, stderr } = await prove(...argv);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toStartWith(words);
});
