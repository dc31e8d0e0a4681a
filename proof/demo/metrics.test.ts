import { expect, test } from "bun:test";
import { createHandlingMetrics } from "../../src/handling/metrics.ts";
import { createIntakeMetrics } from "../../src/intake/metrics.ts";
import { createRegistry } from "../../src/runtime/metrics.ts";
import { parseMetrics, readingOf, serversUp } from "./metrics.ts";

test("samples are read with their labels, comments are passed over", () => {
  const page = '# HELP a b\n# TYPE a counter\na 3\nb{x="1",y="a \\"b\\", {c}"} 0.5\nc{le="+Inf"} 1e3\n';
  expect(parseMetrics(page)).toEqual([
    { name: "a", labels: {}, value: 3 },
    { name: "b", labels: { x: "1", y: 'a \\"b\\", {c}' }, value: 0.5 },
    { name: "c", labels: { le: "+Inf" }, value: 1_000 },
  ]);
});

test("a producer's page tells what it accepted and what is in flight", async () => {
  const registry = createRegistry("producer-1");
  const metrics = createIntakeMetrics(registry);
  for (const outcome of ["accepted", "accepted", "overloaded", "delivery_unknown"] as const)
    metrics.outcome(outcome);
  metrics.inFlight({ orders: () => 7, lowestLimit: () => 0, bytes: () => 0 });
  expect(readingOf(await registry.metrics())).toEqual({
    orders: 2,
    inFlightOrders: 7,
    partitions: [],
    lagRecords: 0,
  });
});

test("a consumer's page tells what it handled, owns and has left to do", async () => {
  const registry = createRegistry("consumer-1");
  const metrics = createHandlingMetrics(registry);
  for (const verdict of ["handled", "handled", "handled", "redelivered"] as const)
    metrics.verdicts[verdict].inc();
  for (const [partition, lag] of [
    [10, 4],
    [2, 5],
  ] as const) {
    metrics.paused.set({ topic: "orders", partition }, 0);
    metrics.lag.set({ topic: "orders", partition }, lag);
  }
  expect(readingOf(await registry.metrics())).toEqual({
    orders: 3,
    inFlightOrders: 0,
    partitions: [2, 10],
    lagRecords: 9,
  });
});

test("the servers that the balancer uses are those whose state UP is 1", () => {
  const page = ["producer1", "producer2"]
    .flatMap((server, n) => ["DOWN", "UP"].map((state, up) => [server, state, n === up ? 1 : 0]))
    .map(
      ([server, state, value]) =>
        `haproxy_server_status{proxy="producers",server="${server}",state="${state}"} ${value}\n`,
    )
    .join("");
  const operators = 'haproxy_server_status{proxy="instances",server="producer1",state="UP"} 1\n';
  expect(serversUp(page + operators)).toEqual(new Set(["producer2"]));
});
