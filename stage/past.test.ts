// What is remembered for whoever scrolls back, and that it is no more than that.
import { expect, test } from "bun:test";
import type { Past } from "../page/recording.ts";
import { createPast } from "./past.ts";

const keptMs = 900_000;
const at = (atMs: number) => ({ atMs, more: "not kept" }) as unknown as Past;
const time = (text: string | undefined) => (JSON.parse(text ?? "{}") as { atMs?: number }).atMs;

test("every few seconds and at each change one is kept, and the last at or before a time is told", () => {
  const past = createPast(keptMs);
  expect(past.at(1)).toBeUndefined();
  for (let ms = 10_000; ms <= 20_000; ms += 1_000) past.keep(at(ms), ms === 12_000);
  expect([9_000, 11_999, 12_500, 16_999, 17_000, 99_000].map((ms) => time(past.at(ms)))).toEqual([
    10_000, 10_000, 12_000, 12_000, 17_000, 17_000,
  ]);
  expect(past.at(17_000)).not.toContain("not kept");
});

test("what is older than the plots, or too much, is forgotten", () => {
  const past = createPast(keptMs);
  past.keep(at(10_000), true);
  past.keep(at(10_001 + keptMs), true);
  expect(time(past.at(0))).toBe(10_001 + keptMs);
  for (let n = 0; n < 1_000; n += 1) past.keep(at(2_000_000 + n), true);
  expect(time(past.at(0))).toBe(2_000_600);
});

test("a clock that is set back keeps nobody from what is now", () => {
  const past = createPast(keptMs);
  past.keep(at(20_000_000), true);
  past.keep(at(10_000_000), false);
  expect(time(past.at(30_000_000))).toBe(10_000_000);
});
