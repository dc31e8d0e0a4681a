/** What a client of the producer is answered: good orders, and everything else that can come in. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { startIntake, type TestIntake } from "../../testing/intake.ts";
import { type OrdersCluster, startOrdersCluster } from "../../testing/kafka.ts";
import { maxBatchOrders } from "../config.ts";
import { partyOf } from "../order.ts";
import { anOrder, longer, sampleOrder } from "../sample.ts";
import { orderId, orderKey } from "../wire/order-id.ts";

let cluster: OrdersCluster;
let intake: TestIntake;
beforeAll(async () => {
  cluster = startOrdersCluster();
  intake = startIntake(cluster.env);
  await intake.ready();
}, 120_000);
afterAll(async () => {
  await intake[Symbol.asyncDispose]();
  cluster.close();
});

const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/** A member of every order, and the same written another way. */
const [member = ""] = Object.keys(anOrder);
const escaped = `\\u00${member.charCodeAt(0).toString(16)}${member.slice(1)}`;
const json = async (answer: Response) => (await answer.json()) as Record<string, unknown>;

describe("an accepted order", () => {
  test("is answered with where it stands, and is there, as CloudEvents has it", async () => {
    const context = { traceparent: trace, tracestate: "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7" };
    const order = sampleOrder(0, "Zoë ☕");
    const answer = await intake.post(order, { "idempotency-key": "happy", ...context });
    expect(answer.status).toBe(202);
    const { id, partition, offset } = await json(answer);
    expect(answer.headers.get("location")).toBe(`/orders/${id}?partition=${partition}&offset=${offset}`);

    const record = (await cluster.read("orders")).find(({ key }) => String(key) === id);
    expect(record).toMatchObject({ partition, offset });
    const { placedAt, ...rest } = JSON.parse(String(record?.value));
    expect(rest).toEqual({ ...order, id });
    expect(Date.parse(placedAt)).toBeWithin(Date.now() - 60_000, Date.now() + 1);
    expect(record?.headers).toEqual({
      ce_specversion: "1.0",
      ce_type: "coffee-orders.order.placed",
      ce_source: "/orders",
      ce_dataschema: "urn:coffee-orders:order:1",
      ce_id: id as string,
      ce_time: placedAt,
      "content-type": "application/json",
      ...context,
    });
  });

  test("has an id that depends on customer and key alone", async () => {
    const first = await json(await intake.post(anOrder, { "idempotency-key": '"same"' }));
    for (const key of ["same", '"same";p=1; q="x"']) {
      const again = await json(await intake.post(anOrder, { "idempotency-key": key }));
      expect(again).toEqual(first);
    }
    const other = await json(await intake.post(sampleOrder(0, "c43"), { "idempotency-key": "same" }));
    expect(other.id).not.toBe(first.id);
  });

  test("without a key is a new one each time", async () => {
    const ids = await Promise.all([1, 2].map(async () => (await json(await intake.post(anOrder))).id));
    expect(ids[0]).not.toBe(ids[1]);
  });

  test("does not carry a trace context that is none", async () => {
    const traceparent = `${trace.slice(0, -2)}01${"x".repeat(13_000)}`;
    const { id } = await json(await intake.post(anOrder, { traceparent, tracestate: "foo=1" }));
    const record = (await cluster.read("orders")).find(({ key }) => String(key) === id);
    expect(record?.headers).toContainKey("ce_id");
    expect(record?.headers).not.toContainAnyKeys(["traceparent", "tracestate"]);
  });

  test("is another one than the order of a batch whose key would be the same", async () => {
    const batch = await json(await intake.post([anOrder], { "idempotency-key": "x" }, "/orders/batch"));
    const inBatch = (batch.outcomes as { id: string }[])[0]?.id;
    expect(inBatch).toBe(orderId(partyOf(anOrder), "x/0"));
    const single = await json(await intake.post(longer(anOrder), { "idempotency-key": "x/0" }));
    expect(single.id).toBe(orderId(partyOf(anOrder), orderKey("x/0")));
    expect(single.id).not.toBe(inBatch);
  });
});

describe("bad input is refused, and nothing of it is on the topic", () => {
  test.each<
    [
      what: string,
      status: number,
      outcome: string,
      body: string | Uint8Array | object,
      headers?: Record<string, string>,
    ]
  >([
    ["no body", 400, "malformed_body", ""],
    ["no JSON", 400, "malformed_body", "customer=c42"],
    ["JSON that breaks off", 400, "malformed_body", '{"customer":'],
    ["no UTF-8", 400, "malformed_body", Uint8Array.of(0x22, 0xff, 0x22)],
    ["a member twice", 400, "malformed_body", JSON.stringify(anOrder).replace("{", `{"${member}":3,`)],
    [
      "a member twice, once by an escape",
      400,
      "malformed_body",
      JSON.stringify(anOrder).replace("{", `{"${escaped}":3,`),
    ],
    ["a key that is too long", 400, "malformed_key", anOrder, { "idempotency-key": "k".repeat(256) }],
    ["an empty key", 400, "malformed_key", anOrder, { "idempotency-key": "" }],
    ["a body of a megabyte", 413, "body_too_large", { ...anOrder, note: "x".repeat(1_000_000) }],
    ["a body one byte too long", 413, "body_too_large", JSON.stringify(anOrder).padEnd(8_193)],
    ["a key with a malformed parameter", 400, "malformed_key", anOrder, { "idempotency-key": '"k";A=1' }],
    ["a content coding", 415, "unsupported_media_type", anOrder, { "content-encoding": "gzip" }],
    [
      "another charset",
      415,
      "unsupported_media_type",
      anOrder,
      { "content-type": "application/json; charset=utf-16" },
    ],
    ["another media type", 415, "unsupported_media_type", anOrder, { "content-type": "text/plain" }],
    ["a form", 415, "unsupported_media_type", "a=b", { "content-type": "application/x-www-form-urlencoded" }],
    ["wrong types", 422, "invalid_order", { ...anOrder, [member]: [] }],
    ["unknown members", 422, "invalid_order", { ...anOrder, sugar: 1 }],
    ["an array", 422, "invalid_order", [anOrder]],
    ["null", 422, "invalid_order", "null"],
    ["a deep nest", 422, "invalid_order", `${"[".repeat(4_000)}${"]".repeat(4_000)}`],
    ["__proto__", 422, "invalid_order", `{"__proto__":${JSON.stringify(anOrder)}}`],
    // A rest, as a parameter that a row has nothing for would be given the runner's own callback.
  ])("%s: %d %s", async (_, status, outcome, body, ...[headers]) => {
    const before = await intake.metric("order_delivery_duration_seconds_count");
    const answer = await intake.post(body, headers);
    expect(answer.status).toBe(status);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(await json(answer)).toMatchObject({
      type: `urn:problem-type:coffee-orders:${outcome}`,
      status,
      fate: "refused",
    });
    expect(await intake.metric("order_delivery_duration_seconds_count")).toBe(before);
  });

  test("a member twice in one order of a batch: none of them is taken", async () => {
    const before = await intake.metric("order_delivery_duration_seconds_count");
    const batch = JSON.stringify([anOrder, anOrder]).replace(/}]$/, `,"${member}":3}]`);
    const answer = await intake.post(batch, {}, "/orders/batch");
    expect(answer.status).toBe(400);
    expect(await json(answer)).toMatchObject({ fate: "refused" });
    expect(await intake.metric("order_delivery_duration_seconds_count")).toBe(before);
  });

  test("what would be taken instead is told, for a media type and a coding alike", async () => {
    const answer = await intake.post(anOrder, { "content-encoding": "br" });
    expect(answer.headers.get("accept")).toBe("application/json");
    expect(answer.headers.get("accept-encoding")).toBe("identity");
  });

  test("without a media type", async () => {
    const answer = await intake.request("/orders", {
      method: "POST",
      body: Buffer.from(JSON.stringify(anOrder)),
    });
    expect(answer.status).toBe(415);
  });

  test("every fault is listed with its pointer", async () => {
    const { errors } = await json(await intake.post({ sugar: 1 }));
    const pointers = (errors as { pointer: string; detail: string }[]).map(({ pointer }) => pointer);
    expect(pointers.sort()).toEqual([...Object.keys(anOrder).map((name) => `/${name}`), "/sugar"].sort());
  });

  test("the longest body that is taken may fill its bound", async () => {
    expect((await intake.post(JSON.stringify(anOrder).padEnd(8_192))).status).toBe(202);
  });
});

describe("the key of another order", () => {
  test("is refused, and the first order stands", async () => {
    const key = { "idempotency-key": "reused" };
    const { id } = await json(await intake.post(anOrder, key));
    const answer = await intake.post(longer(anOrder), key);
    expect(answer.status).toBe(422);
    expect(await json(answer)).toMatchObject({ type: "urn:problem-type:coffee-orders:key_reused", id });
    const records = (await cluster.read("orders")).filter((record) => String(record.key) === id);
    const placed = { ...anOrder, id, placedAt: expect.any(String) };
    expect(records.map(({ value }) => JSON.parse(String(value)))).toEqual([placed]);
  });

  test("is the same order when only its members' order differs", async () => {
    const key = { "idempotency-key": "reordered" };
    const reordered = Object.fromEntries(Object.entries(anOrder).reverse());
    expect(await json(await intake.post(reordered, key))).toEqual(
      await json(await intake.post(anOrder, key)),
    );
  });
});

describe("POST /orders/batch", () => {
  test("answers each order for itself, in the order of the request", async () => {
    const answer = await intake.post([anOrder, { ...anOrder, sugar: 1 }, anOrder], {}, "/orders/batch");
    expect(answer.status).toBe(207);
    const { outcomes } = (await json(answer)) as { outcomes: Record<string, unknown>[] };
    expect(outcomes.map(({ status }) => status)).toEqual([202, 422, 202]);
    expect(outcomes[1]).toMatchObject({ fate: "refused", errors: [{ pointer: "/sugar" }] });
    expect(outcomes[0]?.id).not.toBe(outcomes[2]?.id);
  });

  test("carries the request's trace context to each order", async () => {
    const { outcomes } = (await json(
      await intake.post([anOrder, anOrder], { traceparent: trace, tracestate: "a=1" }, "/orders/batch"),
    )) as { outcomes: { id: string }[] };
    const records = await cluster.read("orders");
    for (const { id } of outcomes)
      expect(records.find(({ key }) => String(key) === id)?.headers).toMatchObject({
        traceparent: trace,
        tracestate: "a=1",
      });
  });

  test("is as safe to repeat as a single order", async () => {
    const send = async () =>
      json(await intake.post([anOrder, anOrder], { "idempotency-key": "batch" }, "/orders/batch"));
    expect(await send()).toEqual(await send());
  });

  test.each<[string, number, unknown]>([
    ["nothing", 422, []],
    ["more than its bound", 422, Array.from({ length: maxBatchOrders + 1 }, () => 1)],
    ["no array", 422, anOrder],
    ["no JSON", 400, "[,]"],
    ["too many bytes", 413, JSON.stringify([anOrder]).padEnd(1_048_577)],
  ])("of %s is refused as a whole: %d", async (_, status, body) => {
    expect((await intake.post(body, {}, "/orders/batch")).status).toBe(status);
  });
});

test.each(["GET", "PUT", "DELETE", "PATCH"])("%s /orders is not allowed, POST is", async (method) => {
  const answer = await intake.request("/orders", { method });
  expect(answer.status).toBe(405);
  expect(answer.headers.get("allow")).toBe("POST");
  expect(await json(answer)).toMatchObject({ status: 405, fate: "refused" });
});

describe("a principal", () => {
  const as = (name: string, customers?: string) => ({
    "idempotency-key": "po-7",
    "order-principal": name,
    ...(customers && { "order-customers": customers }),
  });

  test("has orders of its own: another's with the same customer and key are others, and so are those of nobody", async () => {
    const order = sampleOrder(0, "shared");
    const asked = [as("acme", "shared"), as("bank", "*"), { "idempotency-key": "po-7" }];
    const answers = await Promise.all(asked.map((headers) => intake.post(order, headers)));
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202]);
    const ids = await Promise.all(answers.map(async (answer) => (await json(answer)).id));
    expect(ids).toEqual(["acme", "bank", undefined].map((name) => orderId("shared", "po-7", name)));
    expect(new Set(ids).size).toBe(3);
  });

  test.each([
    ["acme", undefined, ["acme"], ["acme1", "acm", "*", ""]],
    ["acme", "acme/*", ["acme", "acme/7", "acme/"], ["acme1", "acm", "bank/acme/7"]],
    ["till", "*", ["till", "anybody"], []],
    ["acme", "shop", ["acme", "shop"], ["shop1", "*"]],
    ["a*", undefined, ["a*"], ["acme", "a", "*"]],
    ["acme", Buffer.from("café/*").toString("latin1"), ["acme", "café/1"], ["cafÃ©/1", "cafe/1"]],
  ])("%s, who may order for %s, does for %j and not for %j", async (name, customers, own, others) => {
    const [of, headers] = [(party: string) => sampleOrder(0, party), as(name, customers)];
    for (const customer of own) expect((await intake.post(of(customer), headers)).status).toBe(202);
    for (const customer of others.filter(Boolean)) {
      const answer = await intake.post(of(customer), headers);
      expect([answer.status, answer.headers.get("order-fate")]).toEqual([403, "refused"]);
      expect(await json(answer)).toMatchObject({
        type: "urn:problem-type:coffee-orders:forbidden",
        fate: "refused",
      });
    }
    const batch = await intake.post([...own, ...others].map(of), headers, "/orders/batch");
    expect(batch.headers.get("order-count")).toBe(`${own.length + others.length};accepted=${own.length}`);
    const { outcomes } = (await json(batch)) as { outcomes: { status: number }[] };
    const expected = [...own.map(() => 202), ...others.map((customer) => (customer ? 403 : 422))];
    expect(outcomes.map(({ status }) => status)).toEqual(expected);
  });
});

test("other paths are a problem too", async () => {
  const answer = await intake.request("/orders/../admin");
  expect(answer.status).toBe(404);
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
});

test("every outcome is a metric from the start, and each answer counts once", async () => {
  const text = await (await intake.request("/metrics")).text();
  expect(text).toMatch(
    /orders_outcomes_total\{outcome="delivery_unknown",fate="unknown",instance="[^"]+"\} 0/,
  );
  const before = await intake.metric("orders_outcomes_total");
  await intake.post(anOrder);
  await intake.post("");
  await intake.post({});
  await intake.post([anOrder, {}], {}, "/orders/batch");
  await intake.post([], {}, "/orders/batch");
  expect(await intake.metric("orders_outcomes_total")).toBe(before + 6);
});
