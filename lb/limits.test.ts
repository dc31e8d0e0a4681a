// What one client may take, by address and by principal: requests, orders, bytes, requests at once and batches at once. Who
// takes more is refused here, with 429; others are not.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { until } from "../kit/until.ts";
import { sampleOrder } from "../src/sample.ts";
import { type Balancer, fixedPort, startBalancer } from "../testing/balancer.ts";
import { newApiKey, newCredentials } from "../testing/credentials.ts";
import {
  connectHttp,
  type HttpAnswer,
  type HttpConnection,
  httpRequest,
} from "../testing/http-connection.ts";
import { jsonBody } from "../testing/load.ts";
import { expectProblem } from "./testing/expect-problem.ts";
import { headerOf, type StandIn, startStandIn } from "./testing/stand-in.ts";

const answer = (more = "") =>
  `HTTP/1.1 207 Multi-Status\r\nOrder-Fate: accepted\r\n${more}Content-Length: 2\r\n\r\n{}`;
const order = JSON.stringify(sampleOrder());
const lookUp = "/orders/79bb16df-55b5-8561-a257-5d4a740138a6";
const credentials = newCredentials();
const keys = { acme: newApiKey("acme"), bank: newApiKey("bank") };
const LB_API_KEYS = credentials.write("keys", keys.acme.line + keys.bank.line);

let producer: StandIn;
let ofTen: StandIn;
let silent: StandIn;
beforeAll(() => {
  producer = startStandIn({ answer: answer() });
  ofTen = startStandIn({ answer: answer("Order-Count: 10\r\n") });
  silent = startStandIn("hang");
});
afterAll(() => {
  for (const server of [producer, ofTen, silent]) server[Symbol.dispose]();
  credentials[Symbol.dispose]();
});

type As = { from: string; principal?: keyof typeof keys };

function request(path: string, body: string, principal?: keyof typeof keys) {
  const authorization = principal && { authorization: `Bearer ${keys[principal].key}` };
  return ["POST", path, { ...jsonBody, ...authorization }, body] as const;
}

async function post(balancer: Balancer, { from, principal }: As, path = "/orders", body = order) {
  const connection = await connectHttp(balancer.port, from);
  try {
    return await connection.request(...request(path, body, principal));
  } finally {
    connection.close();
  }
}

/** How many are taken before one is refused; each from the next of the addresses. */
async function takenBy(ask: (n: number) => Promise<HttpAnswer>, most = 100): Promise<number> {
  for (let n = 0; n < most; n += 1) {
    const found = await ask(n);
    if (found.status === 207) continue;
    expectProblem(found, "rate_limited");
    return n;
  }
  return most;
}

/** Two of whom each limit is: of all from one address, and of all of one principal, wherever it comes from. */
const clients: [string, (n: number) => As, As, boolean][] = [
  ["an address", () => ({ from: "127.0.0.2" }), { from: "127.0.0.3" }, false],
  [
    "a principal",
    (n) => ({ from: `127.0.0.${n + 4}`, principal: "acme" }),
    { from: "127.0.0.4", principal: "bank" },
    true,
  ],
];

test.each(clients)("requests of %s", async (_, client, other, named) => {
  const env = { REQUESTS_PER_10S: "20", ...(named && { LB_API_KEYS }) };
  await using balancer = await startBalancer({ producers: [producer.port], env });
  expect(await takenBy((n) => post(balancer, client(n)))).toBe(20);
  expect((await post(balancer, other)).status).toBe(207);
});

test.each(clients)("orders of %s, of which a batch brings many", async (_, client, other, named) => {
  const env = { ORDERS_PER_10S: "100", ...(named && { LB_API_KEYS }) };
  await using balancer = await startBalancer({ producers: [ofTen.port], env });
  // Counting begins anew every ten seconds, which may be in between.
  expect(await takenBy((n) => post(balancer, client(n), "/orders/batch"))).toBeWithin(10, 20);
  const { status, headers } = await post(balancer, other, "/orders/batch");
  expect([status, headers.get("order-count")]).toEqual([207, null]);
});

test("who has an address of IPv6 has all of its network's, which is one client", async () => {
  const port = fixedPort();
  const limits = { LOOKUPS_PER_CLIENT: "1", BATCHES_PER_CLIENT: "1" };
  const env = { ...limits, LB_OPEN: "1", LB_BIND: `127.0.0.1:${port} accept-proxy` };
  const servers = { producers: [silent.port], consumers: [silent.port] };
  await using balancer = await startBalancer({ ...servers, env });
  const opened: HttpConnection[] = [];
  const send = async (from: string, bytes: string) => {
    const connection = await connectHttp(port);
    opened.push(connection);
    connection.write(`PROXY TCP6 ${from} 2001:db8::1 1000 80\r\n${bytes}`);
    return connection;
  };
  for (const [backend, bytes] of [
    ["batches", httpRequest(...request("/orders/batch", order))],
    ["consumers", httpRequest("GET", lookUp)],
  ] as const) {
    const underWay = async () => Number((await balancer.row(backend, "BACKEND")).scur);
    await send("2001:db8:0:1::1", bytes);
    await until("the first is under way", async () => (await underWay()) === 1);
    const other = await send("2001:db8:0:1:ffff::2", bytes);
    expect((await other.answer()).status).toBe(429);
    await send("2001:db8:0:2::1", bytes);
    await until("another network's is too", async () => (await underWay()) === 2);
  }
  for (const connection of opened) connection.close();
});

test("an order on its own counts as one", async () => {
  const env = { ORDERS_PER_10S: "30" };
  await using balancer = await startBalancer({ producers: [producer.port], env });
  expect(await takenBy(() => post(balancer, { from: "127.0.0.2" }))).toBeWithin(30, 60);
});

test("who sent too many orders may send again later, and may look up meanwhile", async () => {
  const env = { ORDERS_PER_10S: "10" };
  // The same count anew every second.
  const replace = { "date,div(10)": "date" };
  await using balancer = await startBalancer({
    ...{ producers: [ofTen.port], consumers: [producer.port], env, replace },
  });
  const from = "127.0.0.2";
  expect(await takenBy(() => post(balancer, { from }))).toBeLessThan(30);
  const connection = await connectHttp(balancer.port, from);
  const lookUp = await connection.request("GET", "/orders/79bb16df-55b5-8561-a257-5d4a740138a6");
  connection.close();
  expect(lookUp.status).toBe(207);
  await until("it may again", async () => (await post(balancer, { from })).status === 207);
});

test.each(clients)("bytes of %s", async (_, client, other, named) => {
  const env = { BYTES_PER_10S: "50000", ...(named && { LB_API_KEYS }) };
  await using balancer = await startBalancer({ producers: [producer.port], env });
  const body = JSON.stringify([sampleOrder()]).padEnd(9_000, " ");
  expect(await takenBy((n) => post(balancer, client(n), "/orders/batch", body))).toBeWithin(5, 8);
  expect((await post(balancer, other, "/orders/batch", body)).status).toBe(207);
});

test("whether a key was sent before is of its principal alone", async () => {
  using hangs = startStandIn("hang");
  await using balancer = await startBalancer({ producers: [hangs.port], env: { LB_API_KEYS } });
  const opened: HttpConnection[] = [];
  const sentBefore = async (principal: keyof typeof keys) => {
    const connection = await connectHttp(balancer.port);
    opened.push(connection);
    const before = hangs.requests.length;
    const [method, path, headers, body] = request("/orders", order, principal);
    connection.write(httpRequest(method, path, { ...headers, "idempotency-key": "po-7" }, body));
    const sent = await until("it is sent on", () => hangs.requests[before]);
    return headerOf(sent, "sent-before");
  };
  const [first, others, again] = [
    await sentBefore("acme"),
    await sentBefore("bank"),
    await sentBefore("acme"),
  ];
  expect([first, others, again]).toEqual([undefined, undefined, "1"]);
  for (const connection of opened) connection.close();
});

test.each([
  ["requests", "CONNECTIONS_PER_CLIENT", "POST", "/orders", "producers", true],
  ["batches", "BATCHES_PER_CLIENT", "POST", "/orders/batch", "batches", true],
  ["look-ups", "LOOKUPS_PER_CLIENT", "GET", lookUp, "consumers", true],
  ["look-ups", "LOOKUPS_PER_CLIENT", "GET", lookUp, "consumers", false],
  ["long answers", "LOOKUPS_PER_CLIENT", "GET", "/openapi.json", "producers", false],
] as const)("%s at once (%s, %s %s, %s) of a client; as a principal wherever it is: %p", async (...row) => {
  const [, limit, method, path, backend, named] = row;
  const env = { [limit]: "5", ...(named && { LB_API_KEYS }) };
  const servers = { producers: [silent.port], consumers: [silent.port] };
  await using balancer = await startBalancer({ ...servers, env });
  const opened: HttpConnection[] = [];
  const send = async (n: number, principal: keyof typeof keys) => {
    const from = named ? n : principal === "acme" ? 0 : 1;
    const connection = await connectHttp(balancer.port, `127.0.0.${from + 2}`);
    opened.push(connection);
    const [, , headers, body] = request(path, order, named ? principal : undefined);
    const answered = connection.request(method, path, headers, method === "POST" ? body : undefined);
    // Who is let through waits, until the end of the test.
    answered.catch(() => undefined);
    return answered;
  };
  const underWay = async () => Number((await balancer.row(backend, "BACKEND")).scur);
  for (let n = 0; n < 5; n += 1) void send(n, "acme").catch(() => undefined);
  await until("all five are under way", async () => (await underWay()) === 5);
  const refused = await send(5, "acme");
  if (method === "POST") expectProblem(refused, "rate_limited");
  else expect([refused.status, "fate" in JSON.parse(refused.body)]).toEqual([429, false]);
  void send(6, "bank").catch(() => undefined);
  await until("another's is too", async () => (await underWay()) === 6);
  for (const connection of opened) connection.close();
});

test("who chooses one key for all takes no producer's places: others' orders find one", async () => {
  const replace = { "maxconn 2000 maxqueue 300": "maxconn 110 maxqueue 1" };
  const producers = [silent.port, silent.port, silent.port];
  await using balancer = await startBalancer({ producers, replace });
  const opened: HttpConnection[] = [];
  const told: number[] = [];
  const ask = async (from: string, key: string) => {
    const connection = await connectHttp(balancer.port, from);
    opened.push(connection);
    const headers = { ...jsonBody, "idempotency-key": key };
    const tell = ({ status }: HttpAnswer) => told.push(status);
    // Who has a place waits, until the end of the test.
    connection.request("POST", "/orders", headers, order).then(tell, () => undefined);
  };
  const underWay = async () => Number((await balancer.row("producers", "BACKEND")).scur);
  for (let n = 0; n < 150; n += 1) await ask("127.0.0.2", "one");
  await until("each has a place or an answer", async () => (await underWay()) + told.length === 150);
  // Others of the same key may have been accepted: unknown.
  expect(told).toEqual(Array.from({ length: 50 }, () => 502));
  for (let n = 0; n < 12; n += 1) await ask("127.0.0.3", `another-${n}`);
  await until("each has too", async () => (await underWay()) + told.length === 162);
  expect(told).toHaveLength(50);
  for (const connection of opened) connection.close();
});

test("who sends too much is refused before anybody looks at its credential", async () => {
  const env = { REQUESTS_PER_10S: "5", LB_API_KEYS };
  await using balancer = await startBalancer({ producers: [producer.port], env });
  const connection = await connectHttp(balancer.port, "127.0.0.2");
  const wrong = { ...jsonBody, authorization: "Bearer nobody's" };
  const statuses: number[] = [];
  for (let n = 0; n < 7; n += 1)
    statuses.push((await connection.request("POST", "/orders", wrong, order)).status);
  expect(statuses).toEqual([401, 401, 401, 401, 401, 429, 429]);
  const look = await connection.request("GET", lookUp);
  expect([look.status, "fate" in JSON.parse(look.body)]).toEqual([429, false]);
  connection.close();
});

test("who only connects may do so twice as often as it may ask, and is closed then; others are not", async () => {
  const env = { REQUESTS_PER_10S: "5" };
  await using balancer = await startBalancer({ producers: [producer.port], env });
  const others = await connectHttp(balancer.port, "127.0.0.3");
  const opened: { isOpen: boolean; close?: () => void }[] = [];
  for (let n = 0; n < 22; n += 1)
    opened.push(
      // Closed as soon as it is there, which may be before anybody here has looked.
      await connectHttp(balancer.port, "127.0.0.2").catch(({ code }) => {
        expect(code).toBe("ECONNRESET");
        return { isOpen: false };
      }),
    );
  // In the order in which HAProxy's threads accept them, of a rate that slides and is rounded down: 11, or 12.
  const open = () => opened.filter(({ isOpen }) => isOpen).length;
  await until("what is too much is closed", () => open() <= 12);
  expect([open() >= 11, others.isOpen]).toEqual([true, true]);
  for (const connection of [others, ...opened]) connection.close?.();
});

test("a key that is too long is refused before anybody looks for its quotes, for that takes as long as it is", async () => {
  await using balancer = await startBalancer({ producers: [producer.port] });
  const connection = await connectHttp(balancer.port);
  const ask = (length: number) =>
    connection.request("POST", "/orders", { ...jsonBody, "idempotency-key": "\\".repeat(length) }, order);
  expect((await ask(255)).status).toBe(207);
  expectProblem(await ask(256), "malformed_key");
  connection.close();
});
