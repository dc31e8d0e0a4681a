/** Bounds that are part of the HTTP interface, and so the same on every instance. */

/** Most orders in one POST /orders/batch. */
export const maxBatchOrders = 1_000;
/** Longest body of one, in bytes; the balancer passes no longer body at all (lb/haproxy.cfg). */
export const maxBatchBytes = 1_048_576;
