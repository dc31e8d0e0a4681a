/**
 * What an order is. Replace this file to take in something else: the rest of the project needs only
 * `orderSchema`, whose `customer` member names the party whose orders stay in order among themselves.
 */
import { type Static, Type } from "@sinclair/typebox";
import { line, oneOf } from "./wire/words.ts";

const menu = [
  "espresso",
  "double-espresso",
  "macchiato",
  "cortado",
  "americano",
  "filter",
  "cappuccino",
  "flat-white",
  "latte",
  "mocha",
] as const;

/** Unknown members are refused, so that a typing error is never taken for a wish. */
export const orderSchema = Type.Object(
  {
    customer: line(64),
    coffee: oneOf(menu),
    size: oneOf(["small", "medium", "large"]),
    quantity: Type.Integer({ minimum: 1, maximum: 100 }),
    milk: Type.Optional(oneOf(["whole", "semi-skimmed", "skimmed", "oat", "soy", "almond"])),
    note: Type.Optional(line(200)),
  },
  { additionalProperties: false, $id: "Order" },
);

/** An order as a client sends it. */
export type Order = Static<typeof orderSchema>;
