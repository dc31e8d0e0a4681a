/** Header lines as they come over a connection, through Bun's own server: what a record has of them in the end. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { connectHttp, type HttpConnection } from "../../testing/http-connection.ts";
import { type OrdersCluster, startOrdersCluster } from "../../testing/kafka.ts";
import { startTier, type TierProcess } from "../../testing/tier-process.ts";
import { partyOf } from "../order.ts";
import { anOrder } from "../sample.ts";
import { orderId } from "../wire/order-id.ts";

setDefaultTimeout(120_000);

let cluster: OrdersCluster;
let tier: TierProcess;
let connection: HttpConnection;
beforeAll(async () => {
  cluster = startOrdersCluster();
  tier = startTier("producer", cluster.env);
  await tier.ready();
  const listening = tier.log.find(({ msg }) => msg === "listening");
  connection = await connectHttp(Number(new URL(String(listening?.url)).port));
});
afterAll(async () => {
  connection.close();
  await tier[Symbol.asyncDispose]();
  cluster.close();
});

const body = JSON.stringify(anOrder);

/** Sends an order with these lines besides. */
async function send(...lines: string[]) {
  const head = ["POST /orders HTTP/1.1", "Host: x", `Content-Length: ${body.length}`, ...lines];
  connection.write(`${head.join("\r\n")}\r\n\r\n${body}`);
  const { status, body: said } = await connection.answer();
  return { status, ...(JSON.parse(said) as { id?: string; type?: string }) };
}

const json = "Content-Type: application/json";
const trace = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";

test.each<[what: string, lines: string[], carried: Record<string, string>]>([
  ["nothing", [], {}],
  ["a traceparent", [`traceparent: 00-${trace}-01`], { traceparent: `00-${trace}-01` }],
  ["one in capitals and blanks", [`TRACEPARENT: \t 00-${trace}-01 \t`], { traceparent: `00-${trace}-01` }],
  ["one of a later version", [`traceparent: cc-${trace}-01-more`], { traceparent: `00-${trace}-01` }],
  ["version ff", [`traceparent: ff-${trace}-01`], {}],
  ["no trace id", [`traceparent: 00-${"0".repeat(32)}-b7ad6b7169203331-01`], {}],
  ["no parent id", [`traceparent: 00-0af7651916cd43dd8448eb211c80319c-${"0".repeat(16)}-01`], {}],
  ["more than version 00 has", [`traceparent: 00-${trace}-01-more`], {}],
  ["a dot at the end", [`traceparent: 00-${trace}-01.`], {}],
  ["flags of four digits", [`traceparent: 00-${trace}-0100`], {}],
  ["more without a dash", [`traceparent: cc-${trace}-01.more`], {}],
  ["13 KB", [`traceparent: 00-${trace}-01${"x".repeat(13_000)}`], {}],
  ["two lines", [`traceparent: 00-${trace}-01`, `traceparent: 00-${trace}-00`], {}],
  ["a tracestate alone", ["tracestate: foo=1"], {}],
  [
    "a tracestate in three lines",
    [`traceparent: 00-${trace}-01`, "tracestate: foo=1", "tracestate:", "tracestate: bar=2"],
    { traceparent: `00-${trace}-01`, tracestate: "foo=1,bar=2" },
  ],
])("a trace context of %s", async (_, lines, carried) => {
  const { status, id } = await send(json, ...lines);
  expect(status).toBe(202);
  const record = (await cluster.read("orders")).find(({ key }) => String(key) === id);
  const headers = Object.entries(record?.headers ?? {});
  expect(headers.length).toBeGreaterThan(5);
  expect(Object.fromEntries(headers.filter(([name]) => name.startsWith("trace")))).toEqual(carried);
});

test("a key is the same in quotes, with parameters and bare", async () => {
  for (const key of ["same", '"same"', '"same";p=1', '"same"; a; b="x"'])
    expect(await send(json, `Idempotency-Key: ${key}`)).toMatchObject({
      id: orderId(partyOf(anOrder), "same"),
    });
});

test.each<[what: string, outcome: string, lines: string[]]>([
  ["two keys in quotes", "malformed_key", [json, 'Idempotency-Key: "a"', 'Idempotency-Key: "b"']],
  ["a malformed parameter", "malformed_key", [json, 'Idempotency-Key: "a";P']],
  ["a content coding", "unsupported_media_type", [json, "Content-Encoding: gzip"]],
  ["two of them", "unsupported_media_type", [json, "Content-Encoding: identity", "Content-Encoding: gzip"]],
  ["two media types", "unsupported_media_type", [json, json]],
  ["another charset", "unsupported_media_type", [`${json}; charset=utf-16`]],
])("%s: %s", async (_, outcome, lines) => {
  expect(await send(...lines)).toMatchObject({ type: `urn:problem-type:coffee-orders:${outcome}` });
});
