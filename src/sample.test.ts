import { expect, test } from "bun:test";
import { anOrder, longer, sampleOrder } from "./sample.ts";
import { orderFaults } from "./wire/validation.ts";

test("samples are orders, with and without more text", () => {
  const orders = [anOrder, ...Array.from({ length: 100 }, (_, n) => sampleOrder(n))];
  expect([...orders, ...orders.map(longer)].flatMap(orderFaults)).toEqual([]);
});

test("the n-th sample is always the same, and its customer may be chosen", () => {
  expect(sampleOrder(7)).toEqual(sampleOrder(7));
  expect(sampleOrder(7, "me")).toEqual({ ...sampleOrder(7), customer: "me" });
});
