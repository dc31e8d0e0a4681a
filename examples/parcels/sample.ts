/** Sample parcels, short and long. */
import type { Order } from "./order.ts";

const accounts = 997;
const streets = ["High Street", "Mill Lane", "Harbour Road"];
const services = ["standard", "express"] as const;

/** The n-th of a series, always the same one: parcels differ, accounts repeat. */
export const sampleOrder = (n = 0, account = `a${n % accounts}`): Order => ({
  account,
  grams: 1 + (n % 30_000),
  to: { address: `${1 + (n % 99)} ${streets[n % streets.length]}`, country: "NO" },
  service: services[n % services.length] ?? "standard",
});

/** A parcel without a fault. */
export const anOrder: Order = sampleOrder(0, "a42");

/** The same parcel with more text: a hundred of them are above what the balancer can replay. */
export const longer = (order: Order): Order => ({ ...order, reference: "to be left at the door ".repeat(6) });
