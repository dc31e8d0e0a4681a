import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { migrations } from "../../src/handle.ts";
import type { Entry, Ledger } from "../../src/ledger/ledger.ts";
import { createLedger } from "../../src/ledger/open.ts";
import { anOrder } from "../../src/sample.ts";
import { type PostgresServer, startPostgres } from "../../testing/postgres.ts";
import type { ClientAnswer } from "../client/answers.ts";
import { tally } from "./record.ts";

type Answer = Pick<ClientAnswer, "fate" | "id">;

let server: PostgresServer;
let ledger: Ledger;
beforeAll(async () => {
  server = startPostgres();
  ledger = createLedger(server.url, { connections: 1, handlerTimeoutMs: 10_000 });
  await ledger.open(migrations);
}, 60_000);
afterAll(async () => {
  await ledger.close();
  server[Symbol.dispose]();
});

/** Orders that are in the ledger, with so many tickets each. */
async function handled(count: number, tickets = 1): Promise<Answer[]> {
  const entries = Array.from({ length: count }, (_, offset): Entry => {
    const placed = { ...anOrder, id: crypto.randomUUID(), placedAt: new Date().toISOString() };
    return { order: placed, digest: "digest", partition: 0, offset };
  });
  await ledger.record(entries, async ({ order }, tx) => {
    for (let n = 0; n < tickets; n += 1)
      await tx`INSERT INTO tickets (order_id, customer, coffee, size, quantity)
        VALUES (${order.id}, ${order.customer}, ${order.coffee}, ${order.size}, ${order.quantity})`;
  });
  return entries.map(({ order }) => ({ fate: "accepted", id: order.id }));
}

describe("the client's record against the ledger", () => {
  test("holds when every accepted order is there once, with one ticket", async () => {
    const { held, once, line } = await tally(await handled(3), server.url);
    expect(line).toBe("accepted 3, not accepted 0, handled 3, redelivered 0, tickets 3, lost 0");
    expect({ held, once }).toEqual({ held: true, once: true });
  });

  test.each([
    ["an accepted order is nowhere", async () => [...(await handled(1)), answer("accepted")], "lost 1"],
    ["an effect happened twice", () => handled(1, 2), "tickets 2"],
    ["an effect is missing", () => handled(1, 0), "tickets 0"],
    ["two orders got one id", async () => (await handled(1)).flatMap((one) => [one, one]), "accepted 2"],
    ["nothing was accepted", async () => [answer("refused")], "accepted 0"],
  ])("does not hold when %s", async (_, answers, words) => {
    const { held, once, line } = await tally(await answers(), server.url, { drainTimeoutMs: 0 });
    expect({ held, once }).toEqual({ held: false, once: false });
    expect(line).toContain(words);
  });

  test("does not hold when an order was not accepted, and tells that the accepted ones are there once", async () => {
    const answers = [...(await handled(1)), answer("refused")];
    const { held, once, line } = await tally(answers, server.url, { drainTimeoutMs: 0 });
    expect({ held, once }).toEqual({ held: false, once: true });
    expect(line).toContain("not accepted 1");
  });

  const answer = (fate: Answer["fate"]): Answer => ({ fate, id: crypto.randomUUID() });
});
