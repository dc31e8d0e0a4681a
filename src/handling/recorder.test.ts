import { expect, test } from "bun:test";
import fc from "fast-check";
import { Registry } from "prom-client";
import { recordOf, temporaryLedger } from "../../testing/test-consumer.ts";
import { consumerConfig } from "../config.ts";
import type { Apply, Entry } from "../ledger/ledger.ts";
import { createLedger } from "../ledger/open.ts";
import { realClock } from "../runtime/clock.ts";
import { createLogger } from "../runtime/log.ts";
import { createHandlingMetrics } from "./metrics.ts";
import { createBatchLimit, createRecorder, type RecorderParts } from "./recorder.ts";
import { Work } from "./work.ts";

/** Where the limit settles when each order takes so long. */
function settledAt(msPerOrder: number, maxOrders = 1_000): number {
  const limit = createBatchLimit(maxOrders);
  for (let batch = 0; batch < 100; batch += 1) limit.succeeded(limit.current(), limit.current() * msPerOrder);
  return limit.current();
}

test("a quick handler gets the largest batches, a slow one an order each", () => {
  expect(settledAt(0.01)).toBe(1_000);
  expect(settledAt(1)).toBeWithin(300, 801);
  expect(settledAt(20)).toBeWithin(15, 41);
  expect(settledAt(5_000)).toBe(1);
});

test("handlers that wait side by side are not made quicker by smaller batches: they keep the largest", () => {
  const limit = createBatchLimit(1_000);
  for (let batch = 0; batch < 20; batch += 1) limit.succeeded(limit.current(), 390);
  expect(limit.current()).toBe(1_000);
});

test("being broken off makes it one, a small batch leaves it, and it recovers", () => {
  const limit = createBatchLimit(1_000);
  const before = limit.current();
  limit.succeeded(3, 1);
  expect(limit.current()).toBe(before);
  limit.brokenOff();
  expect(limit.current()).toBe(1);
  for (let batch = 0; batch < 20; batch += 1) limit.succeeded(limit.current(), 1);
  expect(limit.current()).toBe(1_000);
});

test("whatever happens, it stays from one to its maximum", () => {
  const event = fc.oneof(
    fc.tuple(fc.constant("succeeded" as const), fc.double({ min: 0, max: 100_000, noNaN: true })),
    fc.tuple(fc.constant("brokenOff" as const), fc.constant(0)),
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5_000 }), fc.array(event), (maxOrders, events) => {
      const limit = createBatchLimit(maxOrders);
      for (const [kind, elapsedMs] of events) {
        if (kind === "succeeded") limit.succeeded(limit.current(), elapsedMs);
        else limit.brokenOff();
        expect(limit.current()).toBeInteger();
        expect(limit.current()).toBeWithin(1, maxOrders + 1);
      }
    }),
  );
});

const workOf = (key: string) =>
  new Work(
    { value: Buffer.from(String(recordOf(key).value)), partition: 0, offset: 0 } as never,
    { leaving: false } as never,
    {} as never,
  );

test("orders that are applied again in their transaction, for another's sake, take no longer for that", async () => {
  let nowMs = 0;
  let applied = Promise.resolve();
  const ledger = {
    async record(entries: Entry[], apply: Apply) {
      for (const group of [entries, entries, entries.slice(0, 1), entries.slice(1)])
        await Promise.all(group.map((entry) => apply(entry, undefined as never)));
      return entries.map(() => "handled");
    },
  };
  const recorder = createRecorder(consumerConfig({ KAFKA_BROKERS: "none:1", LEDGER_URL: "sqlite:none" }), {
    ...{ ledger, clock: { ...realClock, nowMs: () => nowMs }, random: Math.random },
    metrics: createHandlingMetrics(new Registry()),
    log: createLogger("test", { INSTANCE: "test", LOG_LEVEL: "silent" }),
  } as never);
  const first = recorder.mostOrders();
  const works = Array.from({ length: first }, (_, n) => workOf(`order ${n}`));
  await recorder.record(works, async (work) => {
    // Those of a group at the same time.
    if (work === works[0] || work === works[1])
      applied = Promise.resolve().then(() => {
        nowMs += 150;
      });
    await applied;
  });
  expect(nowMs).toBe(900);
  // Of 900 ms 300 count.
  expect(recorder.mostOrders()).toBe(2 * first);
});

test("an order that goes alone says nothing of how many others share a transaction; no deadline is left behind", async () => {
  using file = temporaryLedger();
  const ledger = createLedger(file.url, { connections: 1, handlerTimeoutMs: 1_000 });
  await ledger.open([]);
  let nowMs = 0;
  const timers = new Set<unknown>();
  const timer = (ms: number) => {
    timers.add(ms);
    return () => void timers.delete(ms);
  };
  const config = consumerConfig({ KAFKA_BROKERS: "none:1", LEDGER_URL: file.url });
  const recorder = createRecorder(config, {
    ...{ ledger, clock: { ...realClock, timer, nowMs: () => nowMs }, random: Math.random },
    metrics: createHandlingMetrics(new Registry()),
    log: createLogger("test", { INSTANCE: "test", LOG_LEVEL: "silent" }),
  } as RecorderParts);
  const first = recorder.mostOrders();
  const aloneWork = (key: string) => Object.assign(workOf(key), { alone: true });
  const slow = await recorder.record([aloneWork("slow")], async () => {
    expect(timers.size).toBe(1);
    nowMs += 900;
  });
  const late = await recorder.record([aloneWork("late")], async () => {
    throw new DOMException("its time is over", "TimeoutError");
  });
  expect([...slow.values(), ...late.values()]).toEqual([
    "handled",
    { kind: "late", reason: expect.anything() },
  ]);
  expect(recorder.mostOrders()).toBe(first);
  expect(timers.size).toBe(0);
  await ledger.close();
});
