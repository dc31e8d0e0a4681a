import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lock } from "./lock.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "coffee-orders-lock-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

test("is held by one until that gives it back, and says by whom", () => {
  const path = join(folder, "held");
  {
    using _held = lock(path);
    expect(() => lock(path)).toThrow(
      `Another proof runs on this topology: process ${process.pid}. If that is none, remove ${path}`,
    );
  }
  expect(existsSync(path)).toBe(false);
  lock(path)[Symbol.dispose]();
});

test("of a process that was killed is nobody's", async () => {
  const path = join(folder, "stale");
  const child = Bun.spawn(["true"]);
  await child.exited;
  writeFileSync(path, String(child.pid));
  using _held = lock(path);
  expect(readFileSync(path, "utf8")).toBe(String(process.pid));
});

test("that is just being taken is taken", () => {
  const path = join(folder, "new");
  writeFileSync(path, "");
  expect(() => lock(path)).toThrow("Another proof");
});
