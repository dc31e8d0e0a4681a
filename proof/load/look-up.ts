/**
 * Where accepted orders are that the ledger does not have, asked at the edge by the place of each one's 202. Whoever is told
 * of as waiting lies in Kafka and is not lost; where nobody answers, nothing is known of them.
 */
import type { EdgeAccess } from "../../infra/secure/access.ts";
import { bearerOf, statusOf } from "../client/client.ts";
import { type ClientAnswer, orderIdOf } from "../history/history.ts";

const atOnce = 16;
const answerLimitMs = 10_000;
/** For all of them: where nobody answers, each takes its time. */
const allLimitMs = 60_000;

export type Standing = "waits" | "nobody knows it" | "nobody says";
export type LookUp = (order: ClientAnswer) => Promise<Standing>;

/** @param url of the balancer */
export const lookUpAt =
  (url: string, access?: EdgeAccess): LookUp =>
  async (order) => {
    const { partition, offset } = order.place ?? {};
    const place = partition === undefined || offset == null ? "" : `?partition=${partition}&offset=${offset}`;
    const headers = bearerOf(access, order.key) ?? {};
    const options = { headers, ...(access && { tls: { ca: access.ca } }) };
    const signal = AbortSignal.timeout(answerLimitMs);
    const status = await statusOf(`${url}/orders/${orderIdOf(order)}${place}`, { ...options, signal });
    if (status === 200) return "waits";
    // Without its place a consumer cannot tell one that waits from one that nobody knows.
    return status === 404 && place !== "" ? "nobody knows it" : "nobody says";
  };

/** How many are where. */
export async function lookedUp(
  orders: readonly ClientAnswer[],
  lookUp: LookUp,
): Promise<Record<Standing, number>> {
  const counts = { waits: 0, "nobody knows it": 0, "nobody says": 0 };
  const endMs = performance.now() + allLimitMs;
  const left = orders.values();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const order of left) counts[performance.now() < endMs ? await lookUp(order) : "nobody says"] += 1;
    }),
  );
  return counts;
}
