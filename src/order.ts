/** What an order is. To take in something else, replace it: the rest needs but `orderSchema`, `Order`, `schemaVersion`, `partyOf`. */
import { type Static, Type } from "@sinclair/typebox";
import { line, oneOf } from "./wire/words.ts";

const short = ["espresso", "double-espresso", "macchiato", "cortado"] as const;
const long = ["americano", "filter", "cappuccino", "flat-white", "latte", "mocha"] as const;

/**
 * Of CloudEvents' `dataschema` in each record. Raise it when what is here changes. A new member must be optional: consumers of
 * the version before handle orders with it, and orders without it are still on the topic.
 */
export const schemaVersion = 1;

/** Unknown members are refused at the door, so that a typing error is never taken for a wish. */
export const orderSchema = Type.Object(
  {
    customer: line(64),
    coffee: oneOf([...short, ...long]),
    size: oneOf(["small", "medium", "large"]),
    quantity: Type.Integer({ minimum: 1, maximum: 100 }),
    milk: Type.Optional(oneOf(["whole", "semi-skimmed", "skimmed", "oat", "soy", "almond"])),
    note: Type.Optional(line(200)),
  },
  { additionalProperties: false },
);

/** An order as a client sends it. */
export type Order = Static<typeof orderSchema>;

/** Whose order it is: everywhere else that is its customer, whose orders stay in order and whose keys are its own. */
export const partyOf = (order: Order): string => order.customer;
