/** What an order is where parcels are sent by accounts. */
import { type Static, Type } from "@sinclair/typebox";
import { line, oneOf } from "./wire/words.ts";

/** Of CloudEvents' `dataschema` in each record. Raise it when what is here changes. */
export const schemaVersion = 1;

/** Unknown members are refused, so that a typing error is never taken for a wish. */
export const orderSchema = Type.Object(
  {
    account: line(32),
    grams: Type.Integer({ minimum: 1, maximum: 30_000 }),
    to: Type.Object({ address: line(200), country: line(2) }, { additionalProperties: false }),
    service: oneOf(["standard", "express"]),
    reference: Type.Optional(line(500)),
  },
  { additionalProperties: false },
);

/** A parcel as a client sends it. */
export type Order = Static<typeof orderSchema>;

/** Whose parcel it is: an account's parcels stay in order, and its keys are its own. */
export const partyOf = (order: Order): string => order.account;
