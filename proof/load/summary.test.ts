import { describe, expect, test } from "bun:test";
import { ascending, percentile } from "../../kit/percentile.ts";
import type { ClientAnswer } from "../client/answers.ts";
import { kneeOf, stepResults, summaryLines } from "./summary.ts";
import { summarize } from "./thresholds.ts";

const answer = (startedMs: number, latencyMs: number, changes: Partial<ClientAnswer> = {}): ClientAnswer => ({
  key: `run-${startedMs}`,
  customer: "c1",
  sent: "single",
  startedMs,
  endedMs: startedMs + latencyMs,
  attempts: 1,
  firstStatus: 202,
  status: 202,
  fate: "accepted",
  ...changes,
});

test("percentiles are by nearest rank", () => {
  const values = ascending([5, 1, 4, 2, 3]);
  expect([0, 20, 50, 99, 100].map((percent) => percentile(values, percent))).toEqual([1, 1, 3, 5, 5]);
  expect(percentile([], 99)).toBe(0);
});

test("a run in a few lines", () => {
  const answers = [
    ...Array.from({ length: 99 }, (_, n) => answer(10_000 + n * 20, 10)),
    answer(11_980, 10, { againStatus: 202, againId: "an-id" }),
    answer(12_000, 2_500, { attempts: 2, firstStatus: 503 }),
    answer(12_100, 30_000, { attempts: 4, firstStatus: 0, status: 0, fate: "unknown" }),
    answer(12_200, 5, { firstStatus: 422, status: 422, fate: "refused", sent: "batch-slow" }),
  ];
  const lines = summaryLines({ answers, dropped: 7, crossed: ["tries_failed: rate==0"] }, [
    { rate: 50, seconds: 3 },
  ]);
  expect(lines.join("\n")).toBe(`  sent        103 orders in 3 s, 7 requests dropped
  mix         single 102, batch-slow 1; accepted and sent again 1
  answered    accepted 101, refused 1, unknown 1
  tries       2 orders needed more than one; first tries that failed: 1 × 503, 1 × no answer, 1 × 422
  latency     median 10 ms, p95 10 ms, p99 2.5 s, p99.9 30.0 s, longest 30.0 s
  rate        ██▁  at most 50/s
  p99         ▁▁█  10 ms to 30.0 s
  thresholds  crossed: tries_failed: rate==0`);
});

test("a run in which nothing was sent says so", () => {
  expect(summaryLines({ answers: [], dropped: 0, crossed: [] }, [])[0]).toBe(
    "  sent        0 orders in 1 s, 0 requests dropped",
  );
});

describe("the knee", () => {
  const steps = [
    { rate: 2, seconds: 1 },
    { rate: 4, seconds: 1 },
  ];

  test("lies at the last step whose orders were all accepted in time", () => {
    const answers = [
      ...[0, 500].map((atMs) => answer(atMs, 10)),
      ...[1_000, 1_250, 1_500, 1_750].map((atMs) => answer(atMs, 1_500)),
    ];
    const results = stepResults(answers, steps, 0);
    expect(results).toEqual([
      { rate: 2, acceptedShare: 1, p99Ms: 10 },
      { rate: 4, acceptedShare: 1, p99Ms: 1_500 },
    ]);
    expect(kneeOf(results)).toBe(results[0]);
    expect(summaryLines({ answers, dropped: 0, crossed: [] }, steps).join("\n")).toContain(
      "the knee lies at 2/s",
    );
  });

  test("counts what k6 could not send against a step", () => {
    const answers = [
      ...[0, 500].map((atMs) => answer(atMs, 10)),
      ...[1_000, 1_250].map((atMs) => answer(atMs, 10)),
    ];
    expect(stepResults(answers, steps, 0)[1]).toEqual({ rate: 4, acceptedShare: 0.5, p99Ms: 10 });
  });

  test("lies beyond the last step, or before the first", () => {
    const fine = { rate: 1, acceptedShare: 1, p99Ms: 1 };
    expect(kneeOf([fine])).toBe(fine);
    expect(kneeOf([{ ...fine, acceptedShare: 0.9 }, fine])).toBeUndefined();
  });
});

test("k6's own verdict: what was dropped, and which thresholds were crossed", () => {
  const metrics = {
    dropped_iterations: { values: { count: 3 }, thresholds: { "count==0": { ok: false } } },
    tries_failed: { values: { rate: 0 }, thresholds: { "rate==0": { ok: true } } },
    iterations: { values: { count: 7, rate: 1 } },
    vus: { values: {} },
  };
  expect(summarize({ metrics })).toEqual({
    answered: 7,
    dropped: 3,
    crossed: ["dropped_iterations: count==0"],
  });
  expect(summarize({ metrics: {} })).toEqual({ answered: 0, dropped: 0, crossed: [] });
});
