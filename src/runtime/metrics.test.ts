import { expect, test } from "bun:test";
import { createRegistry } from "./metrics.ts";

test("a process tells its own metrics, but none for which its whole heap would be walked", async () => {
  const text = await createRegistry("one").metrics();
  for (const name of [
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "nodejs_heap_size_used_bytes",
  ])
    expect(text).toContain(`${name}{instance="one"}`);
  expect(text).not.toContain("heap_space");
});
