// `bun test` alone, on a tree after `bun install`: the addon is not built, and nothing that is run needs it.
import { expect, test } from "bun:test";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { capture } from "../kit/capture.ts";

const root = join(import.meta.dir, "..");

test("bun test alone needs no addon; a file that is named runs whatever it needs", async () => {
  const tree = mkdtempSync(join(tmpdir(), "coffee-orders-alone-"));
  try {
    for (const part of readdirSync(root))
      if (!part.startsWith(".") && part !== "node_modules" && part !== "out")
        cpSync(join(root, part), join(tree, part), {
          recursive: true,
          filter: (path) => !path.slice(root.length).includes("/node_modules"),
        });
    mkdirSync(join(tree, "node_modules"));
    for (const one of readdirSync(join(root, "node_modules")))
      if (one !== "node-rdkafka")
        symlinkSync(join(root, "node_modules", one), join(tree, "node_modules", one));
    const bun = (...args: string[]) =>
      capture([process.execPath, "test", ...args], { cwd: tree, limitMs: 270_000 });
    const { code, stderr } = await bun("--timeout=120000");
    expect({ code, failed: stderr.match(/^\(fail\).*/gm) }).toEqual({ code: 0, failed: null });
    expect(Number(/^ (\d+) pass$/m.exec(stderr)?.[1])).toBeGreaterThan(400);
    expect((await bun("./src/intake/headers.test.ts")).code).toBe(1);
  } finally {
    rmSync(tree, { recursive: true });
  }
}, 300_000);
