// `make demo` where the stage can't be served: the demo goes on without, and says why.
import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { capture } from "../kit/capture.ts";
import { cachePath, thisMachine } from "../kit/machine.ts";

const settings = { DEMO_SECONDS: "1", DEMO_RATE: "20", LB_PORT: "0", LB_STATS_PORT: "0", STAGE_PORT: "0" };

test("a token that can't be kept keeps nobody from the demo", async () => {
  const folder = mkdtempSync(join(tmpdir(), "coffee-orders-demo-test-"));
  try {
    const cache = join(folder, "coffee-orders");
    mkdirSync(cache);
    symlinkSync(cachePath(thisMachine(), "native"), join(cache, "native"));
    writeFileSync(join(cache, "stage"), "no folder");
    const { code, stdout } = await capture([process.execPath, join(import.meta.dir, "demo.ts")], {
      ...{ limitMs: 200_000, env: { ...settings, XDG_CACHE_HOME: folder } },
    });
    expect(stdout).toMatch(/the stage is left out: E\w+: /);
    expect(stdout).toContain("lost 0");
    expect(code).toBe(0);
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 240_000);
