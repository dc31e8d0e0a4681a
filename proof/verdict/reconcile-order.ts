/**
 * The order of one customer's orders, as the customer could see it: an order that was answered before the next one
 * was sent comes first, in the log and in the handling. Orders that overlap in time may come either way.
 */
import type { ClientAnswer } from "../history/history.ts";
import type { Evidence } from "./reconcile-evidence.ts";
import type { OrderViolation } from "./verdict.ts";

type Placed = ClientAnswer & { orderId: string };

/** Each order that stands before one which was answered earlier. */
export function orderViolationsOf(orders: readonly Placed[], evidence: Evidence): OrderViolation[] {
  const customers = Map.groupBy(orders, ({ customer }) => customer);
  const inLog = ({ orderId }: Placed) =>
    evidence.records.get(orderId)?.reduce((first, copy) => (copy.offset < first.offset ? copy : first));
  // Who was given up had its turn then, also where its record came again and was handled after all.
  const handled = ({ orderId }: Placed) =>
    evidence.dead.has(orderId) ? undefined : evidence.handledAtMs.get(orderId);
  return [...customers].flatMap(([customer, placed]) => [
    ...swapped(placed, inLog, (a, b) => a.partition === b.partition && a.offset < b.offset).map((pair) => ({
      customer,
      ...pair,
      in: "the log" as const,
    })),
    // Orders of one transaction are handled at the same time, as far as the ledger tells.
    ...swapped(placed, handled, (a, b) => a <= b).map((pair) => ({
      customer,
      ...pair,
      in: "the handling" as const,
    })),
  ]);
}

/**
 * Holds each order against the last in place of those that were answered before it was sent.
 * @param placeOf where it stands; undefined where that is not known, and then it proves nothing
 */
function swapped<Place>(
  orders: readonly Placed[],
  placeOf: (order: Placed) => Place | undefined,
  precedes: (a: Place, b: Place) => boolean,
): { earlier: string; later: string }[] {
  const known = orders.flatMap((order) => {
    const place = placeOf(order);
    return place === undefined ? [] : [{ ...order, place }];
  });
  const answered = known
    .filter(({ fate }) => fate === "accepted")
    .sort((a, b) => a.endedMs - b.endedMs)
    .values();
  let next = answered.next();
  let last: (typeof known)[number] | undefined;
  const found: { earlier: string; later: string }[] = [];
  for (const order of known.sort((a, b) => a.startedMs - b.startedMs)) {
    for (; !next.done && next.value.endedMs < order.startedMs; next = answered.next())
      if (!last || precedes(last.place, next.value.place)) last = next.value;
    if (last && !precedes(last.place, order.place))
      found.push({ earlier: last.orderId, later: order.orderId });
  }
  return found;
}
