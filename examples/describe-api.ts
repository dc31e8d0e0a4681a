/** Describes the HTTP interface as an OpenAPI 3.1 document, made of the schemas that validate and the table that answers. */
import { maxBatchOrders } from "../src/config.ts";
import { idempotencyKeyHeader } from "../src/http/idempotency-key.ts";
import { orderSchema } from "../src/order.ts";
import { type OutcomeName, outcomes } from "../src/outcomes.ts";

const text = { type: "string" };
const integer = { type: "integer", minimum: 0 };
const uuid = { ...text, format: "uuid" };
const time = { ...text, format: "date-time" };
const place = { partition: integer, offset: integer };
const array = (items: object) => ({ type: "array", items });
const object = (required: Record<string, object>, optional: Record<string, object> = {}) => ({
  type: "object",
  properties: { ...required, ...optional },
  required: Object.keys(required),
});
/** What a look-up tells of an order. */
const view = (status: string, more: Record<string, object>) =>
  object({ id: uuid, status: { const: status }, ...more });
const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const acceptedStatus = object({ status: { const: 202 } });
const views = ["ToCome", "Waiting", "Handled", "Dead"];

const schemas = {
  Order: orderSchema,
  Batch: { ...array(ref("Order")), minItems: 1, maxItems: maxBatchOrders },
  Accepted: object({ id: uuid, partition: integer, offset: integer }),
  Problem: {
    description:
      "A problem document (RFC 9457). `fate` tells whether the order may have been accepted; a look-up has none.",
    ...object(
      { type: { ...text, format: "uri" }, title: text, status: { type: "integer" }, detail: text },
      {
        fate: { enum: ["refused", "unknown"] },
        errors: array(object({ pointer: { ...text, format: "json-pointer" }, detail: text })),
        id: uuid,
      },
    ),
  },
  BatchOutcomes: {
    description: "An outcome for each order, in the order of the request.",
    ...object({ outcomes: array({ anyOf: [{ allOf: [ref("Accepted"), acceptedStatus] }, ref("Problem")] }) }),
  },
  ToCome: view("accepted", place),
  Waiting: view("waiting", { attempts: integer, nextAt: time, reason: text }),
  Handled: view("handled", { handledAt: time, deliveries: { ...integer, minimum: 1 }, ...place }),
  Dead: view("dead", { deadAt: time, reason: text, attempts: integer, topic: text, ...place }),
};

const content = (description: string, schema: object, mediaType = "application/json") => ({
  description,
  content: { [mediaType]: { schema } },
});

const names = Object.keys(outcomes) as OutcomeName[];
/** The table has outcomes of both kinds of request first, then those of orders, of look-ups, and of requests for nothing of these. */
const [both, ofOrders, ofLookUps] = [
  names.slice(names.indexOf("malformed_request"), names.indexOf("malformed_body")),
  names.slice(names.indexOf("malformed_body"), names.indexOf("not_found")),
  names.slice(names.indexOf("not_found"), names.indexOf("method_not_allowed")),
];

/** What a client may be answered with besides, by status. @param haveFate of an order; a look-up has none */
function problems(names: OutcomeName[], haveFate: boolean) {
  const told = names.map((name) => {
    const { status, fate, title } = outcomes[name];
    return { status, text: `${name}${haveFate && fate ? ` (${fate})` : ""}: ${title}` };
  });
  const answers = [...Map.groupBy(told, ({ status }) => status)].map(([status, group]) => {
    const description = group.map(({ text }) => text).join("; ");
    return [status, content(description, ref("Problem"), "application/problem+json")];
  });
  return Object.fromEntries(answers);
}

const headers = {
  "Idempotency-Key":
    "Makes a retry safe: the same principal, customer and key are the same order. One line of visible ASCII, bare or in double " +
    'quotes; "k" and k are the same key, and parameters behind the quotes are ignored (RFC 9651).',
  traceparent:
    "W3C Trace Context: a valid one is carried to the record, of a later version as version 00; any other is ignored.",
  tracestate:
    "Carried with a valid traceparent, if it is valid itself: whole members of 512 characters in all.",
};
const isJson =
  "JSON in UTF-8 without a content coding; no object in it names a member twice (RFC 7493). It may have 256 different names and texts, or one for each 256 bytes that it may be long.";
const location = {
  description: "Where the order is looked up; its query is the order's place on the topic.",
  schema: { ...text, format: "uri-reference" },
};

/** How orders are sent, one or many. @param more what is particular about it */
const placing = (body: "Order" | "Batch", more: object, responses: object) => ({
  post: {
    ...more,
    parameters: Object.entries(headers).map(([name, description]) => {
      const schema = name === "Idempotency-Key" ? idempotencyKeyHeader : text;
      return { name, in: "header", description, schema };
    }),
    requestBody: { required: true, ...content(isJson, ref(body)) },
    responses: { ...responses, ...problems([...both, ...ofOrders], true) },
  },
});

/** The document. Its paths are those that pass the balancer. */
export const describeApi = () => ({
  openapi: "3.1.0",
  info: {
    title: "Coffee Orders",
    version: "1",
    description: "202: replicated Kafka has the order. Any other answer says refused or unknown.",
    license: { name: "Apache-2.0", identifier: "Apache-2.0" },
  },
  paths: {
    "/orders": placing(
      "Order",
      { operationId: "placeOrder" },
      {
        202: {
          headers: { Location: location },
          ...content("Accepted: at least two replicas have it.", ref("Accepted")),
        },
      },
    ),
    "/orders/batch": placing(
      "Batch",
      {
        operationId: "placeOrders",
        description:
          "The key of the n-th order (from 0) is the request's key, a slash and n; no single order's key is the same.",
      },
      { 207: content("An outcome for each order.", ref("BatchOutcomes")) },
    ),
    "/orders/{id}": {
      get: {
        operationId: "getOrder",
        parameters: [
          { name: "id", in: "path", required: true, schema: uuid },
          // As the Location of the acceptance has them: without them an order that waits its turn is not known. What is
          // no number is passed over.
          { name: "partition", in: "query", schema: text },
          { name: "offset", in: "query", schema: text },
          // RFC 7240: wait=N holds the answer until the order is handled or dead, at most so many seconds, up to 20.
          { name: "Prefer", in: "header", schema: text },
        ],
        responses: {
          200: content("What became of the order.", { oneOf: views.map(ref) }),
          ...problems([...both, ...ofLookUps], false),
        },
      },
    },
  },
  components: { schemas },
});
