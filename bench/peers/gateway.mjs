/**
 * What the Node peers have in common, as a team that knows Fastify would write it: one schema, compiled by Ajv; an
 * answer of 202 only when `send` has the acknowledgement of every in-sync replica; no logging.
 */
import fastify from "fastify";

const oneOf = (...values) => ({ type: "string", enum: values });

const order = {
  type: "object",
  additionalProperties: false,
  required: ["customer", "coffee", "size", "quantity"],
  properties: {
    customer: { type: "string", minLength: 1, maxLength: 64 },
    coffee: oneOf(
      "espresso",
      "double-espresso",
      "macchiato",
      "cortado",
      "americano",
      "filter",
      "cappuccino",
      "flat-white",
      "latte",
      "mocha",
    ),
    size: oneOf("small", "medium", "large"),
    quantity: { type: "integer", minimum: 1, maximum: 100 },
    milk: oneOf("whole", "semi-skimmed", "skimmed", "oat", "soy", "almond"),
    note: { type: "string", minLength: 1, maxLength: 200 },
  },
};

/** Where the brokers are, and the topic. */
export const brokers = (process.env.KAFKA_BROKERS ?? "").split(",");
export const topic = process.env.ORDERS_TOPIC ?? "orders";

/**
 * Listens on HTTP_PORT. GET /accepted tells how many orders were acknowledged so far.
 * @param send sends a record and resolves with `{ partition, offset }` once it is acknowledged
 */
export async function serve(send) {
  const app = fastify();
  // What the product's balancer wants to know of every answer (lb/haproxy.cfg).
  app.addHook("onSend", async (_, reply) => void reply.header("order-fate", "accepted"));
  let accepted = 0;
  const place = async (placed) => {
    const id = crypto.randomUUID();
    const value = JSON.stringify({ ...placed, id, placedAt: new Date().toISOString() });
    const { partition, offset } = await send(id, value);
    accepted += 1;
    return { id, partition, offset };
  };
  app.post("/orders", { schema: { body: order } }, async (request, reply) => {
    const acceptance = await place(request.body);
    reply.code(202).header("location", `/orders/${acceptance.id}`);
    return acceptance;
  });
  app.post("/orders/batch", { schema: { body: { type: "array", items: order } } }, async (request, reply) => {
    reply.code(207);
    return { outcomes: await Promise.all(request.body.map(place)) };
  });
  app.get("/readyz", async () => "ready\n");
  app.get("/accepted", async () => accepted);
  await app.listen({ host: "127.0.0.1", port: Number(process.env.HTTP_PORT) });
}
