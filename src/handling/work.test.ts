/** What a log is told of an order: whatever repeats its words, the words are a customer's. And whose a record is that is none. */
import { expect, test } from "bun:test";
import { recordOf } from "../../testing/test-consumer.ts";
import { Work } from "./work.ts";

test("a reason that repeats the order, as it is or as JSON, says nothing of it in a log", () => {
  const order = { ...JSON.parse(String(recordOf("1").value)), note: 'as "hot" as Zoë\\Bob likes it' };
  const value = Buffer.from(JSON.stringify(order));
  const work = new Work({ value, partition: 0, offset: 0 } as never, {} as never, {} as never);
  for (const reason of [order.note, JSON.stringify(order), `no: ${JSON.stringify({ order })}`])
    expect(work.forLog(reason)).not.toMatch(/hot|Zoë|Bob|c42/);
  // Nor does looking through it keep everybody waiting, however much it says.
  expect(work.forLog(order.note.repeat(1_000_000)).length).toBeLessThan(100_000);
});

test("the id of what can't be decoded is its key, and no other key is one: no database takes every byte", () => {
  const orderIdOf = (key: Buffer | null) =>
    new Work({ value: Buffer.from("x"), key } as never, {} as never, {} as never).orderId;
  const { key } = recordOf("1");
  expect(orderIdOf(key as Buffer)).toBe(String(key));
  for (const other of [null, Buffer.from("not-an-id"), Buffer.from([0, 255])])
    expect(orderIdOf(other)).toBe(null);
});
