// Rates and percentiles of the last seconds, from pages of metrics as the tiers have them.
import { expect, test } from "bun:test";
import { createRate, createReader, p99Of } from "./readings.ts";

const producer = (accepted: number, fast: number, slow: number) => `
orders_outcomes_total{outcome="accepted",fate="accepted",instance="p1"} ${accepted}
orders_outcomes_total{outcome="unavailable",fate="refused",instance="p1"} 7
http_request_duration_seconds_bucket{le="0.01",instance="p1"} ${fast}
http_request_duration_seconds_bucket{le="0.1",instance="p1"} ${fast + slow}
http_request_duration_seconds_bucket{le="+Inf",instance="p1"} ${fast + slow}
ready{instance="p1"} 1
`;

test("a producer's rate is of what it accepted, over the last seconds", () => {
  const { read } = createReader();
  read(producer(1_000, 0, 0), 0);
  expect(read(producer(1_200, 0, 0), 2_000)).toMatchObject({ name: "p1", ready: true, ratePerS: 100 });
  for (const second of [3, 4, 5, 6, 7, 8]) read(producer(1_200, 0, 0), second * 1_000);
  expect(read(producer(1_200, 0, 0), 9_000).ratePerS).toBe(0);
});

test("a counter that went back is a new process: nothing is counted twice, nothing is negative", () => {
  const { read } = createReader();
  read(producer(1_000, 50, 0), 0);
  read(producer(10, 5, 0), 1_000);
  const { ratePerS, buckets } = read(producer(30, 25, 0), 2_000);
  expect(ratePerS).toBe(20);
  expect(p99Of([buckets.request])).toBeWithin(9, 10);
});

test("so is one that has answered less than before, and accepted nothing", () => {
  const { read } = createReader();
  read(producer(0, 5, 50), 0);
  const { buckets } = read(producer(0, 3, 0), 1_000);
  expect(p99Of([buckets.request])).toBeUndefined();
});

test("the percentile is that of the window, over all instances", () => {
  const readers = [createReader(), createReader()];
  for (const { read } of readers) read(producer(0, 1_000, 0), 0);
  const [a, b] = readers.map(
    ({ read }, at) => read(producer(100, 1_099, at === 0 ? 1 : 9), 1_000).buckets.request,
  );
  expect(p99Of([a as never])).toBeWithin(9, 11);
  expect(p99Of([a as never, b as never])).toBeWithin(70, 100);
  expect(p99Of([])).toBeUndefined();
});

test("a consumer's partitions, with what waits in each", () => {
  const page = `
orders_handled_total{instance="c1"} 5
kafka_partition_lag_records{topic="orders",partition="3",instance="c1"} 12
kafka_partition_position{topic="orders",partition="3",instance="c1"} 70
kafka_partition_oldest_unfinished_seconds{topic="orders",partition="3",instance="c1"} 4
ready{instance="c1"} 0
`;
  const { ready, owned } = createReader().read(page);
  expect(ready).toBe(false);
  expect([...owned]).toEqual([[3, { lag: 12, oldestS: 4, position: 70 }]]);
});

test("a rate of counts", () => {
  const rate = createRate();
  expect(rate(5, 0)).toBe(0);
  expect(rate(25, 2_000)).toBe(10);
  expect(rate(0, 3_000)).toBe(0);
});
