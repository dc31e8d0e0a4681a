// Each example in its place: all commands compile with it as src/handle.ts.
import { expect, test } from "bun:test";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dir, "..");
const names = readdirSync(import.meta.dir).filter((name) => !name.endsWith(".test.ts"));

test.each(names)(
  "%s can be copied over src/handle.ts, and everything compiles",
  (name) => {
    const tree = mkdtempSync(join(tmpdir(), "coffee-orders-example-"));
    try {
      for (const part of readdirSync(root))
        if (part === "node_modules") symlinkSync(join(root, part), join(tree, part));
        else if (!part.startsWith("."))
          cpSync(join(root, part), join(tree, part), {
            recursive: true,
            filter: (path) => !path.includes("/node_modules") && !path.includes("/build"),
          });
      const example = readFileSync(join(import.meta.dir, name), "utf8").replaceAll("../src/", "./");
      writeFileSync(join(tree, "src", "handle.ts"), example);
      const tsc = Bun.spawnSync([process.execPath, join(root, "node_modules/.bin/tsc"), "--noEmit"], {
        cwd: tree,
      });
      expect(`${tsc.stdout}${tsc.stderr}`).toBe("");
    } finally {
      rmSync(tree, { recursive: true });
    }
  },
  60_000,
);
