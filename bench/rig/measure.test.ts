import { afterAll, expect, test } from "bun:test";
import type { Side } from "../sides/sides.ts";
import type { Brokers } from "./brokers.ts";
import { measure, NoFigure } from "./measure.ts";

/** Takes every order; how many it says it accepted, and how many are on the topic, is the test's choice. */
let taken = 0;
let status = 202;
let copies = 0;
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  async fetch(request) {
    await request.bytes();
    taken += 1;
    return new Response("{}", { status });
  },
});
afterAll(() => server.stop(true));

const load = {
  path: "/orders",
  orders: 1,
  connections: 4,
  seconds: 1,
  stop: new AbortController().signal,
} as const;
const quickly = { settleLimitMs: 1_000 };

function measured(accepted: () => number, appended: () => number) {
  const side: Side = {
    name: "stand-in",
    port: server.port ?? 0,
    pids: { producer: [process.pid] },
    appends: true,
    accepted: async () => ({ orders: accepted(), copies }),
    stop: async () => undefined,
  };
  const brokers: Brokers = {
    env: { KAFKA_BROKERS: "", ORDERS_TOPIC: "" },
    pids: [process.pid],
    appended: async () => appended(),
    onNewTopic: () => Promise.reject(new Error("there is only one")),
  };
  return measure(side, brokers, { ...load, ...quickly });
}

test("where every order that was accepted is on the topic there are figures", async () => {
  const figures = await measured(
    () => taken,
    () => taken,
  );
  expect(figures["orders/s"]).toBeGreaterThan(100);
  expect(figures["p99 ms"]).toBeGreaterThanOrEqual(figures["p50 ms"] ?? Number.NaN);
  expect(figures["producer µs"]).toBeGreaterThan(0);
  expect(figures["producer MB"]).toBeGreaterThan(1);
});

test("one order lost is no figure", async () => {
  const before = taken;
  await expect(
    measured(
      () => taken,
      () => (taken > before ? taken - 1 : taken),
    ),
  ).rejects.toThrow(NoFigure);
});

test("one order too many is no figure", async () => {
  const before = taken;
  await expect(
    measured(
      () => taken,
      () => (taken > before ? taken + 1 : taken),
    ),
  ).rejects.toThrow(NoFigure);
});

test("but an order that the side says it sent twice may be there twice", async () => {
  const before = taken;
  const figures = measured(
    () => taken,
    () => {
      if (taken === before) return taken;
      copies = 1;
      return taken + 1;
    },
  );
  expect((await figures)["orders/s"]).toBeGreaterThan(100);
  copies = 0;
});

test("neither are orders that the client was told of and nobody has", async () => {
  await expect(
    measured(
      () => 0,
      () => 0,
    ),
  ).rejects.toThrow(/0 orders were accepted, the client counted \d/);
});

test("nor requests that fail", async () => {
  status = 503;
  const failed = measured(
    () => taken,
    () => taken,
  );
  await expect(failed).rejects.toThrow(/requests failed/);
  status = 202;
});
