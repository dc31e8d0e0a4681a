/**
 * The producer's HTTP interface. It decides in this order, cheapest first: is anything taken at all, is the body
 * in bounds, is it an order; only then is anything sent.
 */
import type { Context } from "hono";
import type { Registry } from "prom-client";
import type { ProducerConfig } from "../config.ts";
import { readJsonBody } from "../http/body.ts";
import { createApp } from "../http/server.ts";
import type { Logger } from "../log.ts";
import type { Order } from "../order.ts";
import { OutcomeError, problemResponse } from "../outcomes.ts";
import { orderFaults, parseJson } from "../validation.ts";
import { idempotencyKey } from "./idempotency-key.ts";
import type { Acceptance, Intake } from "./intake.ts";
import type { IntakeMetrics } from "./metrics.ts";

/** The routes of a producer. */
export function createIntakeApp(
  config: ProducerConfig,
  parts: { intake: Intake; metrics: IntakeMetrics; registry: Registry; log: Logger },
) {
  const { intake, metrics, registry, log } = parts;
  const app = createApp(log, { registry, unready: () => intake.unready() });

  app.post("/orders", async (c) => {
    const startMs = performance.now();
    let answer: Response;
    try {
      answer = accepted(await take(c));
      metrics.outcome("accepted");
    } catch (error) {
      const failure = error instanceof OutcomeError ? error : undefined;
      metrics.outcome(failure?.outcome ?? "internal_error");
      if (!failure) throw error;
      log.info(
        { outcome: failure.outcome, detail: failure.message, ...failure.extension },
        "order not accepted",
      );
      answer = problemResponse(failure.outcome, failure.message, failure.extension);
    }
    metrics.requestSeconds.observe((performance.now() - startMs) / 1_000);
    return answer;
  });
  app.all("/orders", () => {
    const answer = problemResponse("method_not_allowed", "orders are sent with POST");
    answer.headers.set("allow", "POST");
    return answer;
  });

  async function take(c: Context): Promise<Acceptance> {
    const obstacle = intake.obstacle();
    if (obstacle) throw new OutcomeError(obstacle.outcome, obstacle.detail);
    const key = idempotencyKey(c.req.raw.headers.get("idempotency-key"));
    const document = jsonOf(await readJsonBody(c.req.raw, config.MAX_BODY_BYTES));
    const errors = orderFaults(document);
    if (errors.length > 0) throw new OutcomeError("invalid_order", "see errors", { errors });
    return intake.submit(document as Order, key, c.req.raw.headers.get("traceparent") ?? undefined);
  }

  return app;
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
