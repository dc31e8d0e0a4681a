/** What the balancer says of a request, in headers that no client can set (lb/haproxy.cfg): who asks, and by when it is answered. */

/** `customers`: the customer that it may order for besides its own name; a `*` at its end is any text, as no name's is. */
export type Principal = { name: string; customers: string };

/** undefined where the balancer runs open: then anybody is anybody. The policy is in UTF-8, of which Bun reads each byte as one character. */
export function principalOf(headers: Headers): Principal | undefined {
  const name = headers.get("order-principal");
  const customers = headers.get("order-customers") ?? "";
  return name === null ? undefined : { name, customers: Buffer.from(customers, "latin1").toString() };
}

/** Whether an order for this customer is the principal's to place. */
export const mayOrderFor = ({ name, customers }: Principal, customer: string): boolean =>
  customer === name ||
  (customers.endsWith("*") ? customer.startsWith(customers.slice(0, -1)) : customer === customers);

/** Never less: clocks of two hosts differ. The balancer's last try begins when the time is up, and lasts 7.5 s. */
const leastMs = 1_000;

/**
 * How long there is to answer a request, from now; `mostMs` where nothing else is said, and at most.
 * @param answerBy milliseconds since the epoch as text; null without a balancer, and what is no such text counts as none
 */
export function timeLeftMs(answerBy: string | null, mostMs: number): number {
  if (answerBy === null || !/^\d{13}$/.test(answerBy)) return mostMs;
  return Math.min(mostMs, Math.max(leastMs, Number(answerBy) - Date.now()));
}
