// The load by hand tells of each answer what the verdict needs.
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
