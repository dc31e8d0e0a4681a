/**
 * The producer's HTTP interface. It decides in this order, cheapest first: is anything taken at all, is the body
 * in bounds, is it an order; only then is anything sent.
 */
import type { Registry } from "prom-client";
import type { ProducerConfig } from "../config.ts";
import { readJsonBody } from "../http/body.ts";
import { idempotencyKey } from "../http/idempotency-key.ts";
import { createApp, errorResponse } from "../http/server.ts";
import { maxBatchBytes, maxBatchOrders } from "../limits.ts";
import type { Logger } from "../log.ts";
import type { Order } from "../order.ts";
import { OutcomeError, outcomes, problem, problemResponse } from "../outcomes.ts";
import { orderFaults, parseJson } from "../validation.ts";
import type { Acceptance, Intake } from "./intake.ts";
import type { IntakeMetrics } from "./metrics.ts";

/**
 * The application of a producer; and the two routes that all its load comes by, for `serve` to hand to Bun's own router:
 * the same handlers for three quarters of the CPU. They answer whatever happens, so that nothing else has to.
 */
export function createIntakeApp(
  config: ProducerConfig,
  parts: { intake: Intake; metrics: IntakeMetrics; registry: Registry; log: Logger },
) {
  const { intake, metrics, registry, log } = parts;
  const app = createApp(log, { registry, unready: () => intake.unready() });

  const placeOrder = (request: Request) =>
    timed(async () => {
      const [document, key] = await take(request, config.MAX_BODY_BYTES);
      const result = await place(request, document, key);
      return result instanceof OutcomeError ? refusal(result) : accepted(result);
    });

  const placeOrders = (request: Request) =>
    timed(async () => {
      const [documents, key] = await take(request, maxBatchBytes);
      if (!Array.isArray(documents) || documents.length === 0 || documents.length > maxBatchOrders)
        throw new OutcomeError("invalid_order", `send an array of 1 to ${maxBatchOrders} orders`);
      const results = await Promise.all(
        documents.map((document, n) => place(request, document, `${key}/${n}`)),
      );
      return multiStatus(results);
    });

  app.post("/orders", (c) => placeOrder(c.req.raw));
  app.post("/orders/batch", (c) => placeOrders(c.req.raw));

  for (const path of ["/orders", "/orders/batch"])
    app.all(path, () => {
      const answer = problemResponse("method_not_allowed", "orders are sent with POST");
      answer.headers.set("allow", "POST");
      return answer;
    });

  async function timed(answer: () => Promise<Response>): Promise<Response> {
    const startMs = performance.now();
    try {
      return await answer();
    } catch (error) {
      metrics.outcome(error instanceof OutcomeError ? error.outcome : "internal_error");
      return errorResponse(error, log);
    } finally {
      metrics.requestSeconds.observe((performance.now() - startMs) / 1_000);
    }
  }

  /** The body and the key of a request, if anything is taken at all. @throws OutcomeError */
  async function take(request: Request, maxBytes: number): Promise<[document: unknown, key: string]> {
    const obstacle = intake.obstacle();
    if (obstacle) throw new OutcomeError(obstacle.outcome, obstacle.detail);
    const key = idempotencyKey(request.headers.get("idempotency-key"));
    return [jsonOf(await readJsonBody(request, maxBytes)), key];
  }

  /** Places one order; an expected failure is a result like any other. */
  async function place(request: Request, document: unknown, key: string): Promise<Acceptance | OutcomeError> {
    try {
      const errors = orderFaults(document);
      if (errors.length > 0) throw new OutcomeError("invalid_order", "see errors", { errors });
      const acceptance = await intake.submit(document as Order, key, traceparent(request));
      metrics.outcome("accepted");
      return acceptance;
    } catch (error) {
      if (!(error instanceof OutcomeError)) throw error;
      metrics.outcome(error.outcome);
      const { outcome, message, extension } = error;
      const level = outcomes[outcome].fate === "unknown" ? "warn" : "debug";
      log[level]({ outcome, detail: message, ...extension }, "order not accepted");
      return error;
    }
  }

  return { app, routes: { "/orders": { POST: placeOrder }, "/orders/batch": { POST: placeOrders } } };
}

/** The request's trace context, where it has the form of version 00 or later (W3C Trace Context, 3.2). */
function traceparent(request: Request): string | undefined {
  const header = request.headers.get("traceparent");
  return header !== null && /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}/.test(header)
    ? header
    : undefined;
}

const refusal = ({ outcome, message, extension }: OutcomeError): Response =>
  problemResponse(outcome, message, extension);

/** An outcome for each order: its own status, as RFC 4918, section 13, has it for parts of one request. */
function multiStatus(results: readonly (Acceptance | OutcomeError)[]): Response {
  const body = results.map((result) =>
    result instanceof OutcomeError
      ? problem(result.outcome, result.message, result.extension)
      : { status: outcomes.accepted.status, ...result },
  );
  return Response.json({ outcomes: body }, { status: 207 });
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return parseJson(bytes);
  } catch (error) {
    throw new OutcomeError("malformed_body", (error as Error).message);
  }
}

const accepted = (acceptance: Acceptance): Response =>
  new Response(JSON.stringify(acceptance), {
    status: 202,
    headers: { "content-type": "application/json", location: `/orders/${acceptance.id}` },
  });
