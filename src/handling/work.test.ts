/** What a log is told of an order: whatever repeats its words, the words are a customer's. */
import { expect, test } from "bun:test";
import { recordOf } from "../../testing/test-consumer.ts";
import { Work } from "./work.ts";

test("a reason that repeats the order, as it is or as JSON, says nothing of it in a log", () => {
  const order = { ...JSON.parse(String(recordOf("1").value)), note: 'as "hot" as Zoë\\Bob likes it' };
  const value = Buffer.from(JSON.stringify(order));
  const work = new Work({ value, partition: 0, offset: 0 } as never, {} as never, {} as never);
  for (const reason of [order.note, JSON.stringify(order), `no: ${JSON.stringify({ order })}`])
    expect(work.forLog(reason)).not.toMatch(/hot|Zoë|Bob|c42/);
});
