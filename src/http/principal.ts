/** Who is asking, as the balancer authenticated it (lb/haproxy.cfg): no client can set these headers. */

/** `customers`: the customer that it may order for besides its own name; a `*` at its end is any text, as no name's is. */
export type Principal = { name: string; customers: string };

/** undefined where the balancer runs open: then anybody orders and reads for anybody. */
export function principalOf(headers: Headers): Principal | undefined {
  const name = headers.get("order-principal");
  return name === null ? undefined : { name, customers: headers.get("order-customers") ?? "" };
}

/** Whether an order for this customer is the principal's to place. */
export const mayOrderFor = ({ name, customers }: Principal, customer: string): boolean =>
  customer === name ||
  (customers.endsWith("*") ? customer.startsWith(customers.slice(0, -1)) : customer === customers);
