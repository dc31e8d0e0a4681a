import { expect, test } from "bun:test";
import { freePorts, isTaken, listens } from "./ports.ts";

test("a port that somebody listens on is taken, and passed over", async () => {
  const free = await freePorts(["A", "B"]);
  const [first, second] = Object.values(free).map(Number);
  using _ = Bun.listen({ hostname: "127.0.0.1", port: first ?? 0, socket: { data() {} } });
  expect(await isTaken(first ?? 0)).toBe(true);
  expect(await isTaken(second ?? 0)).toBe(false);
  expect([await listens(first ?? 0), await listens(second ?? 0)]).toEqual([true, false]);
  expect(Object.values(await freePorts(["A", "B"]))).not.toContain(String(first));
});
