/**
 * A handler whose effect lies elsewhere: it orders at a kitchen over HTTP. To use it, copy it over src/handle.ts with
 * `./` for `../src/` in the imports, and put the kitchen's address into `kitchenUrl`.
 *
 * What holds: the call is made at least once for each order, and the order counts as handled only after a good
 * answer. It is made again when a consumer dies between the answer and the ledger's row, or when no answer came in
 * time; always under the same Idempotency-Key, the order's id, by which the kitchen recognises it.
 */
import { type Handler, Reject, RetryLater } from "../src/handling/handler.ts";
import type { PlacedOrder } from "../src/wire/validation.ts";

const kitchenUrl = "http://127.0.0.1:9100/tickets";

/** No tables of its own: the ledger's row is all there is to write. */
export const migrations: readonly string[] = [];

/** The effects lie with the kitchen: load, proof and demo can't count them. */
export const effectTable: string | undefined = undefined;

/** Said of this order. Every other refusal, such as 401 or 404, may be the kitchen's fault or ours, and passes. */
const atFault = [400, 413, 422];

/** Orders at the kitchen. */
export const handler: Handler = {
  async effect(order, { signal }) {
    const { status, ok } = await ask(order, signal).catch((error) => {
      // No answer in time may be this order's doing, and is an attempt; no connection is not.
      throw signal.aborted ? error : new RetryLater("the kitchen can't be reached", { cause: error });
    });
    if (ok) return;
    if (atFault.includes(status)) throw new Reject(`the kitchen answered ${status}`);
    throw new RetryLater(`the kitchen answered ${status}`);
  },
};

async function ask(order: PlacedOrder, signal: AbortSignal): Promise<Response> {
  const response = await fetch(kitchenUrl, {
    method: "POST",
    headers: { "content-type": "application/json", "idempotency-key": order.id },
    body: JSON.stringify(order),
    // Without it the call would go on after the order is tried again, here or at another consumer.
    signal,
  });
  // Leaves the connection fit for the next call.
  await response.arrayBuffer();
  return response;
}
