/** The producer's HTTP interface. Cheapest first: is anything taken, is the body in bounds, is it an order; then it is sent. */
import type { Registry } from "prom-client";
import { maxBatchBytes, maxBatchOrders, type ProducerConfig } from "../config.ts";
import { readJsonBody } from "../http/body.ts";
import { mayOrderFor, principalOf, timeLeftMs } from "../http/from-balancer.ts";
import { idempotencyKey } from "../http/idempotency-key.ts";
import { createApp, errorResponse } from "../http/server.ts";
import { traceContext } from "../http/trace-context.ts";
import { inputRead, turnOfItsOwn } from "../http/turn.ts";
import { type Order, partyOf } from "../order.ts";
import { countHeader, fateHeader, OutcomeError, outcomes, problem, problemResponse } from "../outcomes.ts";
import type { Logger } from "../runtime/log.ts";
import { orderKey } from "../wire/order-id.ts";
import { hasManyStrings, repeatsMember } from "../wire/unique-members.ts";
import { orderFaults, parseJson } from "../wire/validation.ts";
import type { Kind } from "./admission.ts";
import type { Intake } from "./intake.ts";
import type { IntakeMetrics } from "./metrics.ts";
import type { Acceptance, Given } from "./pending.ts";

/** Longer bodies may still be on their way when they are answered: the balancer holds back no more (lb/haproxy.cfg). */
const wholeBytes = 8_192;

/** Also the two routes that all its load comes by: in Bun's own router they take a quarter less CPU. They answer whatever happens. */
export function createIntakeApp(
  config: ProducerConfig,
  parts: { intake: Intake; metrics: IntakeMetrics; registry: Registry; log: Logger },
) {
  const { intake, metrics, registry, log } = parts;
  const app = createApp(log, { registry, unready: () => intake.unready() });

  const placeOrder = answering(async (request) => {
    const { document, given } = await take(request, "single", config.MAX_BODY_BYTES);
    const result = await place(document, { ...given, key: orderKey(given.key) });
    return result instanceof OutcomeError ? problemResponse(result) : accepted(result);
  });
  const placeOrders = answering(async (request) => {
    const { document: documents, given } = await take(request, "batch", maxBatchBytes);
    if (!Array.isArray(documents) || documents.length === 0 || documents.length > maxBatchOrders)
      throw new OutcomeError("invalid_order", `send an array of 1 to ${maxBatchOrders} orders`);
    const placed = documents.map((document, n) => place(document, { ...given, key: orderKey(given.key, n) }));
    return multiStatus(await Promise.all(placed));
  });
  const routes = { "/orders": { POST: placeOrder }, "/orders/batch": { POST: placeOrders } };
  for (const [path, { POST }] of Object.entries(routes)) {
    app.post(path, (c) => POST(c.req.raw));
    app.all(path, () => {
      metrics.outcome("method_not_allowed");
      return problemResponse(new OutcomeError("method_not_allowed", "orders are sent with POST"));
    });
  }

  /** Times whatever answers a request, and answers for it if it fails. */
  function answering(answer: (request: Request) => Promise<Response>) {
    return async (request: Request): Promise<Response> => {
      const startMs = performance.now();
      try {
        return await answer(request);
      } catch (error) {
        metrics.outcome(error instanceof OutcomeError ? error.outcome : "internal_error");
        return endingUpload(request, errorResponse(error, log, request.method));
      } finally {
        metrics.requestSeconds.observe((performance.now() - startMs) / 1_000);
      }
    };
  }

  /** What a request brings, if anything is taken at all. @throws OutcomeError */
  async function take(request: Request, kind: Kind, maxBytes: number) {
    const { headers } = request;
    const deadlineMs = performance.now() + timeLeftMs(headers.get("answer-by"), config.DELIVERY_TIMEOUT_MS);
    const bytes = Math.min(declaredBytes(request), maxBytes);
    const obstacle = intake.obstacle(kind, bytes);
    if (obstacle) throw obstacle;
    const given: Given = {
      key: idempotencyKey(headers.get("idempotency-key")),
      kind,
      principal: principalOf(headers),
      trace: traceContext(headers),
      deadlineMs,
      sentBefore: headers.has("sent-before"),
    };
    const release = intake.reserve(kind, bytes);
    try {
      const body = await readJsonBody(request, maxBytes);
      await (kind === "batch" ? turnOfItsOwn() : inputRead());
      return { document: jsonOf(body, maxBytes), given };
    } finally {
      release();
    }
  }

  /** Places one order under its own key. An expected failure of it is a result, counted and logged. */
  async function place(document: unknown, given: Given): Promise<Acceptance | OutcomeError> {
    try {
      const errors = orderFaults(document);
      if (errors.length > 0) throw new OutcomeError("invalid_order", "see errors", { errors });
      const order = document as Order;
      if (given.principal && !mayOrderFor(given.principal, partyOf(order)))
        throw new OutcomeError("forbidden", `${given.principal.name} may not order for this customer`);
      const acceptance = await intake.submit(order, given);
      metrics.outcome("accepted");
      return acceptance;
    } catch (error) {
      if (!(error instanceof OutcomeError)) throw error;
      const told = given.sentBefore ? ofAllTries(error) : error;
      const { outcome, reason } = told;
      metrics.outcome(outcome);
      const level = outcomes[outcome].fate === "unknown" ? "warn" : "debug";
      log[level]({ outcome, detail: reason }, "order not accepted");
      return told;
    }
  }
  return { app, routes };
}

/** Who is refused for the moment may have been accepted at an earlier try. */
function ofAllTries(error: OutcomeError): OutcomeError {
  if (outcomes[error.outcome].status !== 503) return error;
  const detail = `${error.message}; send it again with the same Idempotency-Key`;
  return new OutcomeError("delivery_unknown", detail, {}, error.reason);
}

/** A body without a length may be as long as any. */
const declaredBytes = (r: Request) => Number(r.headers.get("content-length") ?? Number.POSITIVE_INFINITY);

/** Before the body is there the balancer answers from a header, and ends it. A close with bytes unread would lose the answer. */
async function endingUpload(request: Request, answer: Response): Promise<Response> {
  if (declaredBytes(request) <= wholeBytes) return answer;
  const text = await answer.text();
  const ascii = text.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
  answer.headers.set("order-answer", ascii);
  return new Response(text, answer);
}

/** An outcome for each order: its own status, as RFC 4918, section 13, has it for parts of one request. */
function multiStatus(results: readonly (Acceptance | OutcomeError)[]): Response {
  const body = results.map((result) =>
    result instanceof OutcomeError ? problem(result) : { status: outcomes.accepted.status, ...result },
  );
  const taken = body.filter((one) => !("fate" in one)).length;
  const fates = new Set(body.map((one) => ("fate" in one ? one.fate : "accepted")));
  // What is true of all: mixed as soon as some are refused and some are not.
  const first = (["refused", "unknown"] as const).find((fate) => fates.has(fate)) ?? "accepted";
  const fate = first === "refused" && fates.size > 1 ? "mixed" : first;
  const headers = { [fateHeader]: fate, [countHeader]: `${body.length};accepted=${taken}` };
  return Response.json({ outcomes: body }, { status: 207, headers });
}

function jsonOf(bytes: Uint8Array, maxBytes: number): unknown {
  try {
    if (hasManyStrings(bytes, maxBytes))
      throw new Error("the body has too many different names and texts: send less at once");
    const document = parseJson(bytes);
    if (repeatsMember(bytes, document)) throw new Error("the body names a member twice in one object");
    return document;
  } catch (error) {
    throw new OutcomeError("malformed_body", (error as Error).message);
  }
}

/** Its place on the topic goes with where to look for it: so a consumer can tell whether it has come to that. */
function accepted(acceptance: Acceptance): Response {
  const { id, partition, offset } = acceptance;
  const location = `/orders/${id}?partition=${partition}&offset=${offset}`;
  const headers = { "content-type": "application/json", location, [fateHeader]: "accepted" };
  return new Response(JSON.stringify(acceptance), { status: outcomes.accepted.status, headers });
}
