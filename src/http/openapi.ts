/** The HTTP interface as an OpenAPI 3.1 document, made of the schemas that validate and the table that answers. */
import { maxBatchOrders } from "../limits.ts";
import { orderSchema } from "../order.ts";
import { type OutcomeName, outcomes, type ProblemName } from "../outcomes.ts";
import { idempotencyKeyHeader } from "./idempotency-key.ts";

const json = (schema: object) => ({ "application/json": { schema } });
const integer = { type: "integer", minimum: 0 };
const uuid = { type: "string", format: "uuid" };
const time = { type: "string", format: "date-time" };
const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const object = (properties: Record<string, object>, optional: string[] = []) => ({
  type: "object",
  properties,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
});

const schemas = {
  Order: withoutId(orderSchema),
  Batch: { type: "array", items: ref("Order"), minItems: 1, maxItems: maxBatchOrders },
  Accepted: object({ id: uuid, partition: integer, offset: { ...integer, type: ["integer", "null"] } }),
  Problem: {
    description:
      "A problem document (RFC 9457). `fate` tells whether the order may have been accepted; a look-up has none.",
    ...object(
      {
        type: { type: "string", format: "uri" },
        title: { type: "string" },
        status: { type: "integer" },
        detail: { type: "string" },
        fate: { enum: ["refused", "unknown"] },
        errors: {
          type: "array",
          items: object({ pointer: { type: "string", format: "json-pointer" }, detail: { type: "string" } }),
        },
        id: uuid,
      },
      ["errors", "fate", "id"],
    ),
  },
  BatchOutcomes: {
    description: "An outcome for each order, in the order of the request.",
    ...object({
      outcomes: {
        type: "array",
        items: { anyOf: [{ allOf: [ref("Accepted"), object({ status: { const: 202 } })] }, ref("Problem")] },
      },
    }),
  },
  ToCome: object({ id: uuid, status: { const: "accepted" }, partition: integer, offset: integer }),
  Waiting: object({
    id: uuid,
    status: { const: "waiting" },
    attempts: integer,
    nextAt: time,
    reason: { type: "string" },
  }),
  Handled: object({
    id: uuid,
    status: { const: "handled" },
    handledAt: time,
    deliveries: { type: "integer", minimum: 1 },
    partition: integer,
    offset: integer,
  }),
  Dead: object({
    id: uuid,
    status: { const: "dead" },
    deadAt: time,
    reason: { type: "string" },
    attempts: integer,
    topic: { type: "string" },
    partition: integer,
    offset: integer,
  }),
};

/** What a client may be answered with on a path, by status. */
function problems(names: readonly ProblemName[]) {
  const byStatus = Map.groupBy(names, (name) => outcomes[name as OutcomeName].status);
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => [
      String(status),
      {
        description: group
          .map(
            (name) =>
              `${name}${outcomes[name].fate ? ` (${outcomes[name].fate})` : ""}: ${outcomes[name].title}`,
          )
          .join("; "),
        content: { "application/problem+json": { schema: ref("Problem") } },
      },
    ]),
  );
}

const intakeProblems: ProblemName[] = [
  "malformed_request",
  "malformed_body",
  "malformed_key",
  "body_timeout",
  "body_too_large",
  "uri_too_long",
  "unsupported_media_type",
  "invalid_order",
  "key_reused",
  "headers_too_large",
  "rate_limited",
  "overloaded",
  "queue_full",
  "not_ready",
  "no_brokers",
  "too_few_replicas",
  "draining",
  "internal_error",
  "connection_lost",
  "unavailable",
  "delivery_unknown",
  "answer_timeout",
];
const lookupProblems: ProblemName[] = [
  "malformed_request",
  "not_found",
  "body_too_large",
  "uri_too_long",
  "headers_too_large",
  "rate_limited",
  "ledger_unavailable",
  "internal_error",
  "connection_lost",
  "unavailable",
  "answer_timeout",
];

const headers = [
  {
    name: "Idempotency-Key",
    in: "header",
    description:
      "Makes a retry safe: the same customer and key are the same order. One line of visible ASCII, bare or in double " +
      'quotes; "k" and k are the same key, and parameters behind the quotes are ignored (RFC 9651).',
    schema: idempotencyKeyHeader,
  },
  {
    name: "traceparent",
    in: "header",
    description:
      "W3C Trace Context: a valid one is carried to the record, of a later version as version 00; any other is ignored.",
    schema: { type: "string" },
  },
  {
    name: "tracestate",
    in: "header",
    description:
      "Carried with a valid traceparent, if it is valid itself: whole members of 512 characters in all.",
    schema: { type: "string" },
  },
];

const requestBody = (schema: object) => ({
  required: true,
  description: "JSON in UTF-8 without a content coding; no object in it names a member twice (RFC 7493).",
  content: json(schema),
});

/** The document. Its paths are those that pass the balancer. */
export function openApi() {
  return {
    openapi: "3.1.0",
    info: {
      title: "Coffee Orders",
      version: "1",
      description: "202: replicated Kafka has the order. Any other answer says refused or unknown.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    paths: {
      "/orders": {
        post: {
          operationId: "placeOrder",
          parameters: headers,
          requestBody: requestBody(ref("Order")),
          responses: {
            "202": {
              description: "Accepted: at least two replicas have it.",
              headers: {
                Location: {
                  description: "Where the order is looked up; its query is the order's place on the topic.",
                  schema: { type: "string", format: "uri-reference" },
                },
              },
              content: json(ref("Accepted")),
            },
            ...problems(intakeProblems),
          },
        },
      },
      "/orders/batch": {
        post: {
          operationId: "placeOrders",
          description:
            "The key of the n-th order (from 0) is the request's key, a slash and n; no single order's key is the same.",
          parameters: headers,
          requestBody: requestBody(ref("Batch")),
          responses: {
            "207": { description: "An outcome for each order.", content: json(ref("BatchOutcomes")) },
            ...problems(intakeProblems),
          },
        },
      },
      "/orders/{id}": {
        get: {
          operationId: "getOrder",
          parameters: [
            { name: "id", in: "path", required: true, schema: uuid },
            // As the Location of the acceptance has them: without them an order that waits its turn is not known. What is
            // no number is passed over.
            { name: "partition", in: "query", schema: { type: "string" } },
            { name: "offset", in: "query", schema: { type: "string" } },
            // RFC 7240: wait=N holds the answer until the order is handled or dead, at most so many seconds, up to 20.
            { name: "Prefer", in: "header", schema: { type: "string" } },
          ],
          responses: {
            "200": {
              description: "What became of the order.",
              content: json({ oneOf: [ref("ToCome"), ref("Waiting"), ref("Handled"), ref("Dead")] }),
            },
            ...problems(lookupProblems),
          },
        },
      },
    },
    components: { schemas },
  };
}

/** TypeBox's $id would move the base that references inside the document are resolved against. */
function withoutId({ $id: _, ...schema }: { $id?: string }): object {
  return schema;
}
