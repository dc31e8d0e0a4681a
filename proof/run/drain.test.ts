// The wait for what was accepted, before a real ledger.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { SQL } from "bun";
import { migrations } from "../../src/handle.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import { createLedger } from "../../src/ledger/open.ts";
import { entryOf } from "../../testing/entries.ts";
import { type PostgresServer, startPostgres } from "../../testing/postgres.ts";
import { withLedger } from "../history/ask.ts";
import { orderIdOf } from "../history/history.ts";
import { told } from "../testing/histories.ts";
import { drained } from "./drain.ts";

const stop = new AbortController().signal;
let server: PostgresServer;
let ledger: Ledger;
const open = () => new SQL({ url: server.url, max: 2 });
beforeAll(async () => {
  server = startPostgres();
  ledger = createLedger(server.url, { connections: 1, handlerTimeoutMs: 10_000 });
  await ledger.open(migrations);
}, 120_000);
afterAll(async () => {
  await ledger.close();
  server[Symbol.dispose]();
});

/** Has the ledger handle an order. */
async function handle(answer: ReturnType<typeof told>): Promise<void> {
  const entry = entryOf(answer.key);
  await ledger.record(
    [{ ...entry, order: { ...entry.order, id: orderIdOf(answer) } }],
    async () => undefined,
  );
}

test("it ends when all is handled, whatever ids the clients were told; what was not accepted is not waited for", async () => {
  const orders = [told("a", { id: "no id at all" }), told("b", { id: "" }), told("c", { fate: "refused" })];
  for (const one of orders.slice(0, 2)) await handle(one);
  expect(await withLedger(open(), (sql) => drained(sql, orders, { stop }))).toBe(0);
});

test("what is handled by nobody is counted when the time is over", async () => {
  const waiting = withLedger(open(), (sql) => drained(sql, [told("d"), told("e")], { stop, limitMs: 0 }));
  expect(await waiting).toBe(2);
});

test("a ledger that does not answer leaves the run without a verdict, and keeps nobody", async () => {
  await using other = open();
  await other.begin(async (tx) => {
    await tx`LOCK TABLE ledger_current IN ACCESS EXCLUSIVE MODE`;
    const asked = withLedger(open(), (sql) => drained(sql, [told("f")], { stop, answerLimitMs: 200 }));
    await expect(asked).rejects.toThrow("the ledger can't be read: no answer within 0.2 s");
  });
});
