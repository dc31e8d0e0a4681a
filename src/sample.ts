/**
 * Sample orders: what load, demo, benchmarks and tests send. Replace it together with order.ts. k6 loads this file too, so
 * it imports nothing but types. They are short, 130 bytes at most: a hundred in a batch can be replayed by the balancer.
 */
import type { Order } from "./order.ts";

const coffees = ["espresso", "americano", "cappuccino", "flat-white", "latte", "mocha"] as const;
const sizes = ["small", "medium", "large"] as const;
const note = "as hot as it gets, and with a lid, please; ".repeat(3).trim();

export const anOrder: Order = { customer: "c42", coffee: "latte", size: "medium", quantity: 2 };

/** The n-th of a series, always the same one: orders differ, customers repeat. */
export const sampleOrder = (n = 0, customer = `c${n % 997}`): Order => ({
  customer,
  coffee: coffees[n % coffees.length] ?? "latte",
  size: sizes[n % sizes.length] ?? "medium",
  quantity: 1 + (n % 5),
});

/** The same order with more text: a hundred of them are above what the balancer can replay. */
export const longer = (order: Order): Order => ({ ...order, note });
