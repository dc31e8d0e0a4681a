import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { handler, migrations } from "../../src/handle.ts";
import type { Entry } from "../../src/ledger/ledger.ts";
import { createSqliteLedger } from "../../src/ledger/sqlite.ts";
import { anOrder } from "../../src/sample.ts";
import { openLedger } from "./ledger.ts";

const entry = (id: string): Entry => ({
  order: { ...anOrder, id, placedAt: "2026-01-01T00:00:00Z" },
  digest: id,
  partition: 0,
  offset: 0,
});

test("what the consumers' ledger wrote is read while they write: deliveries, and effects by themselves", async () => {
  const folder = mkdtempSync(join(tmpdir(), "coffee-orders-demo-ledger-"));
  const path = join(folder, "ledger.sqlite");
  const consumers = createSqliteLedger(path);
  const effect: Parameters<typeof consumers.record>[1] = async (one, tx) => {
    const context = { tx, attempt: 1, signal: new AbortController().signal };
    if ("apply" in handler) await handler.apply(one.order, context);
  };
  try {
    await consumers.open(migrations);
    using ledger = openLedger(path);
    expect(ledger.counts()).toEqual({ handled: 0, redelivered: 0, dead: 0 });
    expect(ledger.read()).toEqual(new Map());

    await consumers.record([entry("a"), entry("b")], effect);
    await consumers.record([entry("b"), entry("b")], effect);
    await consumers.record([entry("without effect")], async () => {});
    await consumers.record([entry("twice")], async (one, tx) => {
      await effect(one, tx);
      await effect(one, tx);
    });
    for (const orderId of ["given up", "a", null]) {
      const place = { topic: "orders", partition: 0, offset: `${orderId}`.length };
      await consumers.bury({ ...place, orderId, reason: "no milk", attempts: 1 });
    }
    expect(ledger.counts()).toEqual({ handled: 4, redelivered: 2, dead: 1 });
    expect(ledger.read()).toEqual(
      new Map([
        ["a", { deliveries: 1, effects: 1, digest: "a", dead: true }],
        ["b", { deliveries: 3, effects: 1, digest: "b" }],
        ["without effect", { deliveries: 1, effects: 0, digest: "without effect" }],
        ["twice", { deliveries: 1, effects: 2, digest: "twice" }],
        ["given up", { deliveries: 0, effects: 0, dead: true }],
      ]),
    );
  } finally {
    await consumers.close();
    rmSync(folder, { recursive: true });
  }
});
