// The access log of the edge: one line a request, which says who asked for what, what became of it and how long it took; and
// whatever a client sends, a line is one JSON document, without the client's words. What hundreds of hostile inputs leave
// there is in hostile.test.ts.
import { afterAll, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { until } from "../kit/until.ts";
import { sampleOrder } from "../src/sample.ts";
import { type Balancer, startBalancer } from "../testing/balancer.ts";
import { audience, issuer, newApiKey, newCredentials, newIssuer } from "../testing/credentials.ts";
import { connectHttp, httpRequest } from "../testing/http-connection.ts";
import { jsonBody } from "../testing/load.ts";
import { accessLine } from "./testing/access-line.ts";
import { type Behaviour, startStandIn } from "./testing/stand-in.ts";

const id = "79bb16df-55b5-8561-a257-5d4a740138a6";
const accepted = {
  answer: `HTTP/1.1 202 Accepted\r\nOrder-Fate: accepted\r\nLocation: /orders/${id}?partition=1\r\nContent-Length: 2\r\n\r\n{}`,
};
const mixed = {
  answer:
    "HTTP/1.1 207 Multi-Status\r\nOrder-Fate: mixed\r\nOrder-Count: 7;accepted=3\r\nContent-Length: 2\r\n\r\n{}",
};
const refused = {
  answer: "HTTP/1.1 422 Unprocessable\r\nOrder-Fate: refused\r\nContent-Length: 2\r\n\r\n{}",
};
const found = { answer: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}" };
const canary = "canary-7f3a";
const order = JSON.stringify(sampleOrder(0, canary));

const credentials = newCredentials();
const tokens = newIssuer();
const odd = newApiKey(`a"b\\c/{},"status":200`);
const LB_API_KEYS = credentials.write("keys", odd.line);
afterAll(() => credentials[Symbol.dispose]());

/** The next line, when it is there. */
async function nextLine(balancer: Balancer, ask: () => Promise<unknown>) {
  const before = balancer.accessLog().length;
  await ask();
  const lines = await until("there is a line", () => {
    const all = balancer.accessLog();
    return all.length > before ? all.slice(before) : undefined;
  });
  expect(lines).toHaveLength(1);
  return accessLine(lines[0] as string);
}

const sha = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 16);
const keyed = { ...jsonBody, "idempotency-key": `"${canary}"` };
const outcomes: [string, Behaviour | undefined, string, string, object][] = [
  ["accepted", accepted, "POST", "/orders", { status: 202, fate: "accepted", id, orders: 1, accepted: 1 }],
  ["refused", refused, "POST", "/orders", { status: 422, fate: "refused", id: "-", orders: 1, accepted: 0 }],
  [
    "a batch",
    mixed,
    "POST",
    "/orders/batch",
    { asked: "batch", status: 207, fate: "mixed", orders: 7, accepted: 3 },
  ],
  ["lost", "close", "POST", "/orders", { status: 502, fate: "unknown", accepted: 0, retries: "3" }],
  [
    "never sent",
    undefined,
    "POST",
    "/orders",
    { status: 503, fate: "refused", accepted: 0, server: "<NOSRV>" },
  ],
  [
    "not an order's place",
    accepted,
    "POST",
    `/${canary}`,
    { asked: "-", status: 404, fate: "refused", key: "-" },
  ],
  [
    "looked up",
    found,
    "GET",
    `/orders/${id.toUpperCase()}`,
    { asked: "look-up", status: 200, fate: "-", id },
  ],
];
test.each(outcomes)("%s", async (_, behaviour, method, path, expected) => {
  using server = startStandIn(behaviour ?? "hang");
  if (!behaviour) server[Symbol.dispose]();
  await using balancer = await startBalancer({ producers: [server.port], consumers: [server.port] });
  const line = await nextLine(balancer, async () => {
    const connection = await connectHttp(balancer.port);
    const body = method === "POST" ? order : undefined;
    await connection.request(method, `${path}?token=${canary}`, keyed, body);
    connection.close();
  });
  const key = method === "POST" ? sha(canary) : line.key;
  expect(line).toMatchObject({ client: "127.0.0.1", principal: "-", key, ...expected });
  expect(balancer.accessLog().join()).not.toContain(canary);
});

test("a client that is gone is told nothing: unknown, and no server had it", async () => {
  using server = startStandIn(accepted);
  await using balancer = await startBalancer({ producers: [server.port] });
  const line = await nextLine(balancer, async () => {
    const connection = await connectHttp(balancer.port);
    connection.write(httpRequest("POST", "/orders", jsonBody, order).slice(0, -1));
    await until("it is there", async () => (await balancer.row("orders", "FRONTEND")).scur === "1");
    connection.close();
  });
  expect(line).toMatchObject({ status: -1, fate: "unknown", server: "<NOSRV>" });
});

test("a principal is there whole, whatever its name; one that is none is cut and escaped", async () => {
  using server = startStandIn(accepted);
  await using balancer = await startBalancer({
    producers: [server.port],
    env: {
      ...{ LB_API_KEYS, LB_JWT_KEY: credentials.write("issuer.pem", tokens.pem) },
      ...{ LB_JWT_ISSUER: issuer, LB_JWT_AUDIENCE: audience },
    },
  });
  const asking = (token: string) => async () => {
    const connection = await connectHttp(balancer.port);
    await connection.request("POST", "/orders", { ...jsonBody, authorization: `Bearer ${token}` }, order);
    connection.close();
  };
  expect(await nextLine(balancer, asking(odd.key))).toMatchObject({
    ...{ principal: `a"b\\c/{},"status":200`, status: 202 },
  });
  const sub = `"},\r\n{"\u0001\u2028${"\\".repeat(500)}\u00e9\ud83d\ude00`;
  const line = await nextLine(balancer, asking(tokens.token(sub)));
  expect([line.status, line.fate]).toEqual([401, "refused"]);
  const wrong = newApiKey("nobody").key;
  expect(await nextLine(balancer, asking(wrong))).toMatchObject({ principal: "-", status: 401 });
  for (const secret of [odd.key, wrong, canary]) expect(balancer.accessLog().join()).not.toContain(secret);
});

test("with 0 there is none", async () => {
  using server = startStandIn(accepted);
  await using balancer = await startBalancer({ producers: [server.port], env: { LB_ACCESS_LOG: "0" } });
  const connection = await connectHttp(balancer.port);
  expect((await connection.request("POST", "/orders", jsonBody, order)).status).toBe(202);
  connection.close();
  expect(balancer.accessLog()).toEqual([]);
});
