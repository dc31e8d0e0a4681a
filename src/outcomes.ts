/**
 * Every answer that an order can get, in one closed table: which status, and whether the order was accepted,
 * refused (certainly not accepted: sending it again is a new try) or is unknown (it may have been accepted: only
 * the same idempotency key makes sending it again safe). No other file decides on a status; the balancer's own answers
 * (lb/haproxy.cfg) are rows of this table too. A look-up has no fate.
 */

/** What an answer says of the order's fate. */
export type Fate = "accepted" | "refused" | "unknown";

type Outcome = { status: number; fate: Fate | undefined; title: string; retryAfterS?: number };

const table = {
  accepted: { status: 202, fate: "accepted", title: "Accepted" },
  malformed_request: { status: 400, fate: "refused", title: "The request is not valid HTTP" },
  malformed_body: { status: 400, fate: "refused", title: "The body is not a JSON document" },
  malformed_key: { status: 400, fate: "refused", title: "The Idempotency-Key is malformed" },
  not_found: { status: 404, fate: undefined, title: "There is nothing here" },
  method_not_allowed: { status: 405, fate: "refused", title: "The method is not allowed here" },
  body_timeout: { status: 408, fate: "refused", title: "The body did not arrive in time" },
  body_too_large: { status: 413, fate: "refused", title: "The body is too large" },
  uri_too_long: { status: 414, fate: "refused", title: "The URI is too long" },
  unsupported_media_type: {
    status: 415,
    fate: "refused",
    title: "The body must be uncompressed application/json in UTF-8",
  },
  invalid_order: { status: 422, fate: "refused", title: "The order is not valid" },
  key_reused: { status: 422, fate: "refused", title: "The Idempotency-Key was used for another order" },
  headers_too_large: { status: 431, fate: "refused", title: "The headers are too large" },
  rate_limited: {
    status: 429,
    fate: "refused",
    title: "Too many requests from this client",
    retryAfterS: 10,
  },
  overloaded: { status: 503, fate: "refused", title: "Too many orders are in flight", retryAfterS: 1 },
  queue_full: { status: 503, fate: "refused", title: "The queue to Kafka is full", retryAfterS: 1 },
  not_ready: { status: 503, fate: "refused", title: "This producer is not ready", retryAfterS: 2 },
  no_brokers: { status: 503, fate: "refused", title: "No Kafka broker is reachable", retryAfterS: 5 },
  too_few_replicas: { status: 503, fate: "refused", title: "Too few replicas are in sync", retryAfterS: 5 },
  unavailable: { status: 503, fate: "refused", title: "No instance can take the request", retryAfterS: 1 },
  ledger_unavailable: { status: 503, fate: undefined, title: "The ledger is unavailable", retryAfterS: 5 },
  draining: { status: 503, fate: "refused", title: "This producer is shutting down", retryAfterS: 1 },
  internal_error: { status: 500, fate: "unknown", title: "An unexpected error" },
  connection_lost: { status: 502, fate: "unknown", title: "The answer was lost", retryAfterS: 1 },
  delivery_unknown: {
    status: 504,
    fate: "unknown",
    title: "Kafka's acknowledgement did not come",
    retryAfterS: 1,
  },
  answer_timeout: { status: 504, fate: "unknown", title: "The answer did not come in time", retryAfterS: 1 },
} as const satisfies Record<string, Outcome>;

/** The name of an outcome; it is also the last part of the problem's type and a metric's label. */
export type OutcomeName = keyof typeof table;
/** Names of the outcomes that are errors. */
export type ProblemName = Exclude<OutcomeName, "accepted">;

/** The whole table, for documents and metrics. */
export const outcomes: Readonly<Record<OutcomeName, Outcome>> = table;

/** An expected failure on its way to the answer. Anything else that is thrown is a defect: `internal_error`. */
export class OutcomeError extends Error {
  override name = "OutcomeError";
  constructor(
    readonly outcome: ProblemName,
    detail: string,
    readonly extension: Record<string, unknown> = {},
  ) {
    // Without a stack, which says nothing of what is expected and is half of what a refused order of a batch costs.
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    super(detail);
    Error.stackTraceLimit = limit;
  }
}

/** The members of a problem document (RFC 9457, section 3.1), with the order's fate as an extension. */
export function problem(name: ProblemName, detail: string, extension: Record<string, unknown> = {}) {
  const { status, title, fate } = outcomes[name];
  const type = `urn:problem-type:coffee-orders:${name}`;
  return { type, title, status, detail, ...(fate && { fate }), ...extension };
}

/**
 * By this header a producer tells the balancer what it did with an order, in every answer to one. The balancer does not
 * pass it on: it may know that an earlier producer did something else (lb/haproxy.cfg). `mixed` is a batch of which some
 * are refused.
 */
export const fateHeader = "order-fate";

/** The answer of a failure: application/problem+json, with Retry-After where a retry makes sense (RFC 9110, 10.2.3). */
export function problemResponse(
  name: ProblemName,
  detail: string,
  extension?: Record<string, unknown>,
): Response {
  const headers: Record<string, string> = { "content-type": "application/problem+json" };
  const { retryAfterS, status, fate } = outcomes[name];
  if (retryAfterS) headers["retry-after"] = String(retryAfterS);
  if (fate) headers[fateHeader] = fate;
  // RFC 9110, 15.5.16.
  if (status === 415) Object.assign(headers, { accept: "application/json", "accept-encoding": "identity" });
  return new Response(JSON.stringify(problem(name, detail, extension)), { status, headers });
}
