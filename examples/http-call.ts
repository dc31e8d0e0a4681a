/**
 * A handler whose effect lies elsewhere: it orders at a kitchen over HTTP. To use it, copy it over src/handle.ts with
 * `./` for `../src/` in the imports, and put the kitchen's address into `kitchenUrl`.
 *
 * What holds: the call is made at least once for each order, and the order counts as handled only after a good
 * answer. It is made again when a consumer dies between the answer and the commit, or when no answer came in time;
 * always under the same Idempotency-Key, the order's id, by which the kitchen recognises it.
 */
import type { Handler } from "../src/handling/handler.ts";

const kitchenUrl = "http://127.0.0.1:9100/tickets";

/** No tables of its own: the ledger's row is all there is to write. */
export const schema: readonly string[] = [];

/** Orders at the kitchen. */
export const handle: Handler = async (order, { signal }) => {
  const response = await fetch(kitchenUrl, {
    method: "POST",
    headers: { "content-type": "application/json", "idempotency-key": order.id },
    body: JSON.stringify(order),
    // Without it the call would go on after the order is tried again, here or at another consumer.
    signal,
  });
  // Leaves the connection fit for the next call.
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`the kitchen answered ${response.status}`);
};
