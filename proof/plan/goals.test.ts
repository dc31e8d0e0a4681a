import { expect, test } from "bun:test";
import type { History } from "../history/history.ts";
import type { Measures, Recovery } from "../report/measures.ts";
import { outcomeTable } from "../report/outcome-table.ts";
import { told } from "../testing/histories.ts";
import { brokenPromises, failedUnprovoked, lastWord, outcomesOf, starved } from "./goals.ts";

const nothing: History = { client: [], topic: [], ledger: [], effects: [], dead: [], commits: [] };

const recovery = (fault: string, figures: Partial<Recovery> = {}): Recovery => ({
  ...{
    fault,
    round: 0,
    atMs: 100_000,
    healedAfterMs: 20_000,
    sent: 1_000,
    firstTryFailed: 0,
    failed: 0,
    ...{ firstStatuses: "", unreplayed: 0, recoveryMs: 0 },
  },
  ...{ steadyAfterMs: 0, longestMs: 50, longestUnseenMs: 100, drainedAfterMs: 0 },
  ...figures,
});

const measures = (...recoveries: Recovery[]): Measures => ({
  ...{ startMs: 0, endMs: 300_000, seconds: [], unavailability: [] },
  recoveries,
});

const outcome = (fault: string, figures: Partial<Recovery> = {}, history = nothing) =>
  outcomesOf(history, measures(recovery(fault, figures)))[0];

test("a fault that came to what it should misses nothing", () => {
  expect(outcome("broker-kill-leader", { recoveryMs: 2_000, longestMs: 6_000 })?.missed).toEqual([]);
});

test.each([
  [
    "broker-kill-leader",
    { recoveryMs: 2_001 },
    "until new orders were well again: 2.001 s, goal at most 2 s",
  ],
  ["broker-kill-leader-2", { longestMs: 6_001 }, "longest order: 6.001 s, goal at most 6 s"],
  [
    "producer-kill",
    { firstTryFailed: 1, firstStatuses: "1 × 503" },
    "orders that failed at their first try: 1 (1 × 503), goal at most 0",
  ],
  [
    "consumer-kill",
    { longestUnseenMs: 15_001 },
    "longest from acceptance to handling: 15.001 s, goal at most 15 s",
  ],
  [
    "producer-partition",
    { firstTryFailed: 500 },
    "share of orders that failed at their first try: 50 %, goal at most 33.3 %",
  ],
  [
    "ledger-stop",
    { drainedAfterMs: 60_001 },
    "from the heal until the backlog was handled: 60.001 s, goal at most 60 s",
  ],
  [
    "ledger-stop",
    { drainedAfterMs: undefined },
    "from the heal until the backlog was handled: unknown, goal at most 60 s",
  ],
  [
    "brokers-stop-two",
    { steadyAfterMs: 36_000 },
    "from the heal until new orders were well again: 16 s, goal at most 15 s",
  ],
])("%s with %p misses its goal", (fault, figures, missed) => {
  expect(outcome(fault, figures)?.missed).toEqual([missed]);
});

const broken = (...recoveries: Recovery[]) => brokenPromises(outcomesOf(nothing, measures(...recoveries)));

test("an order that every retry could not place breaks a promise, where none is to fail", () => {
  const failing = { failed: 2, firstTryFailed: 3 };
  expect(broken(recovery("consumer-kill", failing))).toEqual([
    "consumer-kill: 2 orders were not accepted, after every retry",
  ]);
  expect(broken(recovery("brokers-stop-two", failing))).toEqual([]);
  expect(broken(recovery("consumer-kill"))).toEqual([]);
});

test("a first try that failed breaks a promise where clients are to see none, and elsewhere does not", () => {
  expect(broken(recovery("producer-kill-2", { firstTryFailed: 3 }))).toEqual([
    "producer-kill-2: 3 orders failed at their first try, where clients are to see none",
  ]);
  expect(broken(recovery("balancer-kill", { firstTryFailed: 3 }))).toEqual([]);
});

test("a batch that the balancer can't replay may lose its answer with its producer, and nothing else may", () => {
  expect(broken(recovery("producer-kill", { firstTryFailed: 200, unreplayed: 200 }))).toEqual([]);
  expect(broken(recovery("producer-kill", { firstTryFailed: 203, unreplayed: 200 }))).toEqual([
    "producer-kill: 3 orders failed at their first try, where clients are to see none",
  ]);
  expect(outcome("producer-kill", { firstTryFailed: 200, unreplayed: 200 })?.figures).toMatchObject({
    ...{ firstTryFailed: 0, unreplayed: 200 },
  });
  expect(broken(recovery("producer-kill", { failed: 1, firstTryFailed: 1, unreplayed: 1 }))).toHaveLength(1);
});

test("a worse figure than it should be breaks nothing, and is not passed over", () => {
  const outcomes = outcomesOf(nothing, measures(recovery("broker-kill-leader", { recoveryMs: 9_000 })));
  expect(brokenPromises(outcomes)).toEqual([]);
  expect(lastWord([], outcomes)).toBe(
    "the promise held; 1 figure missed its goal: broker-kill-leader, until new orders were well again: 9 s, goal at most 2 s",
  );
  expect(lastWord([], [...outcomes, ...outcomes])).toBe(
    "the promise held; 2 figures missed their goals, as above",
  );
  expect(lastWord([], [])).toBe("the promise held");
  expect(lastWord(["lost 1"], outcomes)).toBe("the promise was broken");
});

test("faults that strike together promise what all of them do, and break it once", () => {
  const failing = { failed: 2, firstTryFailed: 2 };
  expect(broken(recovery("consumer-kill", failing), recovery("balancer-kill", failing))).toEqual([
    "consumer-kill and balancer-kill: 2 orders were not accepted, after every retry",
  ]);
  expect(broken(recovery("consumer-kill", failing), recovery("brokers-stop-two", failing))).toEqual([]);
});

test("an order that fails while no fault is there is nobody's but the system's", () => {
  // Healed at 120,000: what permits refusals may have them for 15 s more, or as long as the scenario says.
  const found = (
    fault: string,
    startedMs: number,
    endedMs: number,
    fate: "refused" | "accepted" = "refused",
  ) => failedUnprovoked([told("a", { startedMs, endedMs, fate })], [recovery(fault)]).length;
  expect(found("producer-partition", 90_000, 99_999)).toBe(1);
  expect(found("producer-partition", 90_000, 99_999, "accepted")).toBe(0);
  expect(found("producer-partition", 90_000, 100_000)).toBe(0);
  expect(found("producer-partition", 135_000, 160_000)).toBe(0);
  expect(found("producer-partition-2", 135_001, 160_000)).toBe(1);
  expect(found("brokers-stop-two", 165_000, 190_000)).toBe(0);
  expect(found("brokers-stop-two", 165_001, 190_000)).toBe(1);
  expect(failedUnprovoked([told("a", { fate: "unknown" })], [])).toHaveLength(1);
});

test("a machine that is too slow even without a fault puts nothing to the test; one that is slow under a fault does", () => {
  const at = (startedMs: number, tookMs: number) =>
    Array.from({ length: 100 }, (_, n) =>
      told(`${startedMs}-${n}`, { startedMs, endedMs: startedMs + tookMs }),
    );
  const fault = [recovery("broker-kill-leader")];
  expect(starved([...at(1_000, 1_000), ...at(99_990, 30_000)], fault)).toBeUndefined();
  expect(starved([...at(1_000, 1_001), ...at(110_000, 10)], fault)).toStartWith(
    "without any fault the 99th percentile was 1001 ms",
  );
  expect(lastWord(["x: 2 orders were not accepted"], [], "too slow")).toBe(
    "the promise was not put to the test: too slow",
  );
});

test("redelivered is what was delivered more often than it lies on the topic, by the fault that it belongs to", () => {
  const order = (id: string, timestampMs: number, deliveries: number, copies = 1) => ({
    topic: Array.from({ length: copies }, (_, offset) => ({ id, partition: 0, offset, timestampMs })),
    row: { id, digest: "", partition: 0, offset: 0, handledAtMs: timestampMs + 10, deliveries },
  });
  const orders = [
    order("long before the first", 90_000, 2),
    order("under way when the first struck", 96_000, 2),
    order("copied, not redelivered", 120_000, 2, 2),
    order("copied and redelivered", 120_000, 4, 2),
    order("under way when the second struck", 146_000, 2),
    // It is no more on the topic: the balancer or its client may have sent it twice.
    order("cut off since", Number.NaN, 3, 0),
  ];
  const history = {
    ...nothing,
    client: [told("accepted")],
    topic: orders.flatMap(({ topic }) => topic),
    ledger: orders.map(({ row }) => row),
  };
  const outcomes = outcomesOf(
    history,
    measures(recovery("tiers-restart"), recovery("consumer-kill", { atMs: 150_000, round: 1 })),
  );
  expect(outcomes.map(({ figures }) => figures.redelivered)).toEqual([3, 1]);
  expect(outcomes[0]?.missed).toEqual(["records delivered again: 3, goal at most 0"]);
});

test("the table has a line for each fault, and one for each figure that misses its goal", () => {
  const outcomes = outcomesOf(
    nothing,
    measures(
      recovery("consumer-kill"),
      recovery("producer-kill", { firstTryFailed: 7, firstStatuses: "7 × 0", round: 1 }),
    ),
  );
  const lines = outcomeTable(outcomes).split("\n");
  expect(lines).toHaveLength(4);
  expect(lines[1]).toMatch(/^consumer-kill +0 +0 +0 +0\.0 s/);
  expect(lines[3]).toBe(
    "missed: producer-kill: orders that failed at their first try: 7 (7 × 0), goal at most 0",
  );
});
