/**
 * A client in TypeScript, typed by the interface's own document: each order has a key, and what was refused or is unknown is
 * sent again under it, so that no order is placed twice. `bun examples/client.ts http://127.0.0.1:8080` places one.
 * `bun run client:types` makes its types anew (openapi-typescript).
 */
import createFetch from "openapi-fetch";
import type { components, paths } from "./client-api.d.ts";

export type Order = components["schemas"]["Order"];
export type Accepted = components["schemas"]["Accepted"];
type Problem = components["schemas"]["Problem"];

/** The balancer answers within 40 s. */
export const tryLimitMs = 45_000;
const retryBaseMs = 200;
const retryMostMs = 10_000;
/** Refused for now, RFC 9110. */
const passing = [408, 429, 503];

/** The order was not accepted: `fate` says whether that is certain. */
export class PlacingError extends Error {
  override name = "PlacingError";
  constructor(
    readonly fate: "refused" | "unknown",
    readonly key: string,
    readonly problem?: Problem,
  ) {
    super(`the order is ${fate}: ${problem?.detail ?? "no answer"}`);
  }
}

/** @param options.limitMs how long an order is tried */
export function createClient(baseUrl: string, { limitMs = 120_000 } = {}) {
  const api = createFetch<paths>({ baseUrl });

  async function post(order: Order, key: string) {
    const signal = AbortSignal.timeout(tryLimitMs);
    const params = { header: { "Idempotency-Key": key } };
    try {
      return await api.POST("/orders", { params, body: order, signal });
    } catch {
      return undefined; // No answer, or half of one: as unknown as a 502.
    }
  }

  return {
    /**
     * Places an order. Give a key that you keep where the order outlasts this process.
     * @throws PlacingError, after which the same order may be placed again under the same key
     */
    async place(order: Order, key: string = crypto.randomUUID()): Promise<Accepted> {
      const deadlineMs = performance.now() + limitMs;
      let fate: PlacingError["fate"] = "refused";
      for (let tries = 1; ; tries += 1) {
        const answer = await post(order, key);
        if (answer?.data) return answer.data;
        const status = answer?.response.status ?? 0;
        const isFinal = status >= 400 && status < 500 && !passing.includes(status);
        // A refusal speaks for its own try; an earlier one may have been accepted.
        if (!isFinal && !passing.includes(status)) fate = "unknown";
        const waitMs = waitBeforeNext(tries, answer?.response.headers.get("retry-after"));
        if (isFinal || performance.now() + waitMs > deadlineMs)
          throw new PlacingError(fate, key, answer?.error as Problem | undefined);
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    },
    /** What became of an order; undefined where nobody knows it. @param waitS until it is handled or dead, 20 at most */
    async look(id: string, waitS = 0) {
      const params = { path: { id }, ...(waitS > 0 && { header: { Prefer: `wait=${waitS}` } }) };
      const { data, response } = await api.GET("/orders/{id}", { params });
      if (data || response.status === 404) return data;
      throw new Error(`${id} can't be looked up: ${response.status}`);
    },
  };
}

/** At random, so that clients do not come back in step. */
function waitBeforeNext(tries: number, retryAfter: string | null | undefined): number {
  const backoffMs = Math.min(retryMostMs, retryBaseMs * 2 ** (tries - 1)) * (0.5 + Math.random() / 2);
  return Math.max(backoffMs, Number(retryAfter) * 1_000 || 0);
}

if (import.meta.main) {
  const [url = "http://127.0.0.1:8080", ...more] = Bun.argv.slice(2);
  if (!/^https?:/.test(url) || more.length > 0) {
    console.error("bun examples/client.ts [URL]     places one order; http://127.0.0.1:8080 by default");
    process.exit(url === "--help" ? 0 : 2);
  }
  const client = createClient(url);
  const { id } = await client.place({ customer: "c42", coffee: "latte", size: "medium", quantity: 2 });
  console.log(await client.look(id, 10));
}
