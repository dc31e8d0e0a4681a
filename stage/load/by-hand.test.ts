// The load by hand tells of each answer what the verdict needs, and ends when it is paused.
import { expect, test } from "bun:test";
import { until } from "../../kit/until.ts";
import { type Order, partyOf } from "../../src/order.ts";
import { orderId } from "../../src/wire/order-id.ts";
import type { Answer } from "../reconciler.ts";
import { startLoadByHand } from "./by-hand.ts";

test.each([
  ["names its order", (id: string): object => ({ id }), true],
  ["names another one", () => ({ id: crypto.randomUUID() }), false],
  ["names none", () => ({}), false],
])("a 202 that %s", async (_, document, isOwn) => {
  using server = Bun.serve({
    ...{ hostname: "127.0.0.1", port: 0 },
    async fetch(request) {
      const id = orderId(
        partyOf((await request.json()) as Order),
        request.headers.get("idempotency-key") ?? "",
      );
      return Response.json(document(id), { status: 202 });
    },
  });
  const told: Answer[] = [];
  const load = startLoadByHand({ url: server.url.origin, access: undefined }, (answer) => told.push(answer));
  load.burst(1);
  await until("it is told", () => told.length > 0);
  await load.stop();
  expect(told[0]?.fate).toBe("accepted");
  expect(told[0]?.toldId).toBeString();
  expect(told[0]?.toldId === told[0]?.id).toBe(isOwn);
});

test("a pause ends a burst: what is under way is answered, and nothing more is sent", async () => {
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  let asked = 0;
  using server = Bun.serve({
    ...{ hostname: "127.0.0.1", port: 0 },
    async fetch() {
      asked += 1;
      await held;
      return Response.json({}, { status: 202 });
    },
  });
  const load = startLoadByHand({ url: server.url.origin, access: undefined }, () => undefined);
  load.burst(5_000);
  await until("they are under way", () => asked > 100);
  load.set({ paused: true });
  release();
  const isOver = () => load.view().open === 0;
  await until("all are answered", isOver);
  const before = asked;
  load.burst(1);
  await until("one more is sent, and answered", () => asked > before && isOver());
  expect(asked).toBe(before + 1);
  await load.stop();
});
