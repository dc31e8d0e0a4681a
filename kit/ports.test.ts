import { expect, test } from "bun:test";
import { anotherPort, equalPorts, freePorts, isTaken, listens } from "./ports.ts";

test("a port that somebody listens on is taken, and passed over", async () => {
  const free = await freePorts(["A", "B"]);
  const [first, second] = Object.values(free).map(Number);
  using _ = Bun.listen({ hostname: "127.0.0.1", port: first ?? 0, socket: { data() {} } });
  expect(await isTaken(first ?? 0)).toBe(true);
  expect(await isTaken(second ?? 0)).toBe(false);
  expect([await listens(first ?? 0), await listens(second ?? 0)]).toEqual([true, false]);
  expect(Object.values(await freePorts(["A", "B"]))).not.toContain(String(first));
});

test("variables that name one port are told, each such port; any port is nobody's", () => {
  expect(equalPorts({ A: 1, B: 2, C: 1, D: 3, E: 1, F: 2 })).toEqual([
    "A and C and E are 1: each needs a port of its own",
    "B and F are 2: each needs a port of its own",
  ]);
  expect(equalPorts({ A: 0, B: 0, C: 1 })).toEqual([]);
});

test("what is proposed instead of a port is one that anybody may take", () => {
  expect([80, 8_080, 39_999, 40_000, 50_001, 65_535].map(anotherPort)).toEqual([
    10_080, 18_080, 49_999, 30_000, 40_001, 55_535,
  ]);
});
