/**
 * Every answer that there is, in one closed table: its status, and whether the order was accepted, refused (certainly not
 * accepted) or is unknown (it may have been: only the same idempotency key makes sending it again safe). No other file decides
 * on a status; the balancer's own answers (lb/haproxy.cfg) are rows of this table too. A look-up has no fate.
 */

export type Fate = "accepted" | "refused" | "unknown";

const row = (fate: Fate | undefined) => (status: number, title: string, retryAfterS?: number) => {
  return { status, fate, title, retryAfterS };
};
const refused = row("refused");
const unknown = row("unknown");
const ofLookUp = row(undefined);

export const outcomes = {
  accepted: row("accepted")(202, "Accepted"),
  // Of orders and look-ups.
  malformed_request: refused(400, "The request is not valid HTTP"),
  unauthenticated: refused(401, "Nobody known is asking"),
  body_too_large: refused(413, "The body is too large"),
  uri_too_long: refused(414, "The URI is too long"),
  rate_limited: refused(429, "Too many requests from this client", 10),
  headers_too_large: refused(431, "The headers are too large"),
  internal_error: unknown(500, "An unexpected error"),
  connection_lost: unknown(502, "The answer was lost", 1),
  unavailable: refused(503, "No instance can take the request", 1),
  answer_timeout: unknown(504, "The answer did not come in time", 1),
  // Of orders alone.
  malformed_body: refused(400, "The body is not a JSON document"),
  malformed_key: refused(400, "The Idempotency-Key is malformed"),
  body_timeout: refused(408, "The body did not arrive in time"),
  unsupported_media_type: refused(415, "The body must be uncompressed application/json in UTF-8"),
  forbidden: refused(403, "Orders for this customer are not yours to place"),
  invalid_order: refused(422, "The order is not valid"),
  key_reused: refused(422, "The Idempotency-Key was used for another order"),
  overloaded: refused(503, "Too many orders are in flight", 1),
  queue_full: refused(503, "The queue to Kafka is full", 1),
  not_ready: refused(503, "This producer is not ready", 2),
  no_brokers: refused(503, "No Kafka broker is reachable", 5),
  too_few_replicas: refused(503, "Too few replicas are in sync", 5),
  draining: refused(503, "This producer is shutting down", 1),
  delivery_unknown: unknown(504, "Kafka's acknowledgement did not come", 1),
  // Of look-ups alone, and of what is no resource or method.
  not_found: ofLookUp(404, "There is nothing here"),
  ledger_unavailable: ofLookUp(503, "The ledger is unavailable", 5),
  method_not_allowed: refused(405, "The method is not allowed here"),
};

/** The name of an outcome; it is also the last part of the problem's type and a metric's label. */
export type OutcomeName = keyof typeof outcomes;
export type ProblemName = Exclude<OutcomeName, "accepted">;

/** An expected failure on its way to the answer. Anything else that is thrown is a defect: `internal_error`. */
export class OutcomeError extends Error {
  override name = "OutcomeError";
  constructor(
    readonly outcome: ProblemName,
    detail: string,
    readonly extension: Record<string, unknown> = {},
    /** For operators alone: words of Kafka's or of the database's, which are no client's business. */
    readonly reason = detail,
  ) {
    // Without a stack, which says nothing of what is expected and is half of what a refused order of a batch costs.
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    super(detail);
    Error.stackTraceLimit = limit;
  }
}

/** The members of a problem document (RFC 9457, section 3.1), with the order's fate as an extension. */
export function problem({ outcome, message: detail, extension }: OutcomeError) {
  const { status, title, fate } = outcomes[outcome];
  const type = `urn:problem-type:coffee-orders:${outcome}`;
  return { type, title, status, detail, ...(fate && { fate }), ...extension };
}

/** By this header a producer tells the balancer an order's fate; `mixed`: a batch of which some are refused. */
export const fateHeader = "order-fate";
/** And how many orders a batch had, which count towards what its client may send; and how many of them were accepted. */
export const countHeader = "order-count";

/** The answer of a failure: application/problem+json, with Retry-After where a retry makes sense (RFC 9110, 10.2.3). */
export function problemResponse(error: OutcomeError): Response {
  const headers: Record<string, string> = { "content-type": "application/problem+json" };
  const { retryAfterS, status, fate } = outcomes[error.outcome];
  if (retryAfterS) headers["retry-after"] = String(retryAfterS);
  if (fate) headers[fateHeader] = fate;
  // RFC 9110, 15.5.6 and 15.5.16.
  if (status === 405) headers.allow = "POST";
  if (status === 415) Object.assign(headers, { accept: "application/json", "accept-encoding": "identity" });
  return new Response(JSON.stringify(problem(error)), { status, headers });
}
