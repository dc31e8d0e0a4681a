import { expect, test } from "bun:test";
import { anOrder } from "../sample.ts";
import { recordOf } from "./record.ts";

test("an order has the time at which it was placed, in its value and in its headers", async () => {
  const times = new Set<string>();
  for (let n = 0; n < 10; n += 1) {
    const beforeMs = Date.now();
    const { value, headers } = recordOf(anOrder, "id", "orders");
    const { placedAt } = JSON.parse(String(value));
    expect(headers).toEqual([{ ce_id: "id", ce_time: placedAt }]);
    expect(Date.parse(placedAt)).toBeWithin(beforeMs, Date.now() + 1);
    times.add(placedAt);
    await Bun.sleep(2);
  }
  expect(times.size).toBe(10);
});
