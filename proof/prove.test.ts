import { expect, test } from "bun:test";
import { join } from "node:path";
import { capture } from "../kit/capture.ts";

test("a run that could not be put to the test says why in a line, and ends with exit 2", async () => {
  const argv = [process.execPath, join(import.meta.dir, "prove.ts"), "--faults", "no-such-fault"];
  const { code, stdout, stderr } = await capture(argv, { limitMs: 20_000 });
  expect(code).toBe(2);
  expect(stdout + stderr).toContain("no-such-fault");
  expect(stdout + stderr).toContain("Nothing is proven, neither way.");
  expect(stdout + stderr).not.toContain("    at ");
});
