import { expect, test } from "bun:test";
import { join } from "node:path";
import { capture } from "../kit/capture.ts";

test.each([
  [["--faults", "no-such-fault"], "no-such-fault"],
  [["--project", "no-such-project", "--out", "/dev/null/prove"], "No report can be written: ENOTDIR"],
])(
  "a run that could not be put to the test says why in a line, and ends with exit 2: %j",
  async (args, why) => {
    const argv = [process.execPath, join(import.meta.dir, "prove.ts"), ...args];
    const { code, stdout, stderr } = await capture(argv, { limitMs: 20_000 });
    expect(code).toBe(2);
    expect(stdout + stderr).toContain(why);
    expect(stdout + stderr).toContain("Nothing is proven, neither way.");
    expect(stdout + stderr).not.toContain("    at ");
  },
);
