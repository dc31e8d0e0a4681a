import { expect, test } from "bun:test";
import { join } from "node:path";
import { capture } from "../kit/capture.ts";

/** Ends what hangs; it takes three minutes, and more than six where others take most of the machine. */
const limitMs = 20 * 60_000;

test(
  "every benchmark runs, and no side loses an order",
  async () => {
    const { code, stdout, stderr } = await capture(
      [process.execPath, join(import.meta.dir, "main.ts"), "--quick"],
      {
        limitMs,
        onLine: (line) => console.log(line),
      },
    );
    expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
    for (const name of ["direct", "balanced", "overload", "batch", "consumer", "ledger", "latency", "memory"])
      expect(stdout).toContain(`\n${name}: `);
    expect(stdout).not.toContain("no figure");
  },
  limitMs + 60_000,
);
