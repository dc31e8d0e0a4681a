// What passes the balancer and where it goes; and what it refuses itself, each for a real cause, before any server
// sees anything of it.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { until } from "../kit/until.ts";
import { sampleOrder } from "../src/sample.ts";
import { type Balancer, startBalancer } from "../testing/balancer.ts";
import { connectHttp, type HttpAnswer, httpRequest } from "../testing/http-connection.ts";
import { jsonBody } from "../testing/load.ts";
import { expectProblem } from "./testing/expect-problem.ts";
import { type StandIn, startStandIn } from "./testing/stand-in.ts";

const order = JSON.stringify(sampleOrder());
const says = (tier: string) => ({
  answer: `HTTP/1.1 200 OK\r\nOrder-Fate: accepted\r\nContent-Length: ${tier.length}\r\n\r\n${tier}`,
});

let producer: StandIn;
let consumer: StandIn;
let balancer: Balancer;
beforeAll(async () => {
  producer = startStandIn(says("producer"));
  consumer = startStandIn(says("consumer"));
  const replace = { "timeout http-request 10s": "timeout http-request 1s", "body time 10s": "body time 1s" };
  balancer = await startBalancer({ producers: [producer.port], consumers: [consumer.port], replace });
});
afterAll(async () => {
  await balancer[Symbol.asyncDispose]();
  producer[Symbol.dispose]();
  consumer[Symbol.dispose]();
});

/** The answer to some bytes, on a connection of their own. */
async function answerTo(bytes: string, to = balancer, from?: string): Promise<HttpAnswer> {
  const connection = await connectHttp(to.port, from);
  try {
    connection.write(bytes);
    return await connection.answer();
  } finally {
    connection.close();
  }
}

const seen = () => producer.requests.length + consumer.requests.length;

/** Nothing of what `ask` asks reaches a server. */
async function refusedHere(ask: () => Promise<HttpAnswer>): Promise<HttpAnswer> {
  const before = seen();
  const answer = await ask();
  expect(seen()).toBe(before);
  return answer;
}

const id = "79bb16df-55b5-8561-a257-5d4a740138a6";

describe("routes", () => {
  test.each([
    ["POST", "/orders", "producer"],
    ["POST", "/orders?trace=1", "producer"],
    ["POST", "/orders/batch", "producer"],
    ["GET", "/openapi.json", "producer"],
    ["GET", `/orders/${id}`, "consumer"],
    ["HEAD", `/orders/${id.toUpperCase()}`, "consumer"],
    ["POST", `http://coffee-orders/orders`, "producer"],
  ])("%s %s is for a %s", async (method, path, tier) => {
    const server = tier === "producer" ? producer : consumer;
    const [before, all] = [server.requests.length, seen()];
    const body = method === "POST" ? order : undefined;
    const connection = await connectHttp(balancer.port);
    connection.write(httpRequest(method, path, jsonBody, body));
    if (method !== "HEAD") expect((await connection.answer()).body).toBe(tier);
    else await until("a server has it", () => seen() > all);
    connection.close();
    expect([server.requests.length, seen()]).toEqual([before + 1, all + 1]);
  });

  test.each([
    "/",
    "/livez",
    "/readyz",
    "/metrics",
    "/api",
    "/metrics?/orders",
    "/orders/",
    "/orders/..",
    "/orders/../metrics",
    "/orders/..%2fmetrics",
    "/orders/%2e%2e/metrics",
    "/orders/..\\metrics",
    "//orders",
    "/orders/batch/",
    "/ordersmetrics",
    `/orders/${id}/../../metrics`,
    `/orders/${id}0`,
    "http://coffee-orders/metrics",
  ])("%s is for nobody", async (path) => {
    const answer = await refusedHere(() => answerTo(httpRequest("GET", path)));
    expectProblem(answer, "not_found");
  });
});

describe("the balancer refuses itself", () => {
  test.each([
    ["/orders", "POST", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "post", "BREW"]],
    ["/orders/batch", "POST", ["GET", "BREW"]],
    [`/orders/${id}`, "GET, HEAD", ["POST", "PUT", "get"]],
    ["/openapi.json", "GET, HEAD", ["POST", "BREW"]],
  ])("%s is for %s alone: 405", async (path, allowed, methods) => {
    for (const method of methods) {
      const bytes = httpRequest(method, path, { "content-length": "0" });
      const connection = await connectHttp(balancer.port);
      connection.write(bytes);
      const before = seen();
      if (method === "HEAD") await until("it is answered", async () => (await row405()) > 0);
      else {
        const answer = await connection.answer();
        expectProblem(answer, "method_not_allowed");
        expect(answer.headers.get("allow")).toBe(allowed);
      }
      connection.close();
      expect(seen()).toBe(before);
    }
  });
  const row405 = async () => Number((await balancer.row("orders", "FRONTEND")).hrsp_4xx);

  test("a POST to anywhere else is refused, not only not found", async () => {
    const answer = await refusedHere(() => answerTo(httpRequest("POST", "/order", jsonBody, order)));
    expect([answer.status, JSON.parse(answer.body).fate]).toEqual([404, "refused"]);
  });

  test("two keys: 400", async () => {
    const two = httpRequest("POST", "/orders", { ...jsonBody, "idempotency-key": "a" }, order);
    const bytes = two.replace("idempotency-key: a", "idempotency-key: a\r\nIdempotency-Key: b");
    expectProblem(await refusedHere(() => answerTo(bytes)), "malformed_key");
  });

  test("no Host in HTTP/1.1: 400", async () => {
    const one = httpRequest("POST", "/orders", jsonBody, order);
    const none = one.replace("host: coffee-orders\r\n", "");
    expectProblem(await refusedHere(() => answerTo(none)), "malformed_request");
  });

  test.each([
    ["/orders", 8_193],
    ["/orders/batch", 1_048_577],
  ])("a body too long for %s: 413", async (path, length) => {
    const bytes = httpRequest("POST", path, jsonBody, "x".repeat(length));
    expectProblem(await refusedHere(() => answerTo(bytes)), "body_too_large");
    const size = length.toString(16);
    if (length > 10_000) return;
    const chunked = `${httpRequest("POST", path, { ...jsonBody, "transfer-encoding": "chunked" })}${size}\r\n${"x".repeat(length)}\r\n0\r\n\r\n`;
    expectProblem(await refusedHere(() => answerTo(chunked)), "body_too_large");
  });

  test.each(["10000000", "2147483648", "4294967296", "4294967301", "9007199254740993"])(
    "a body of a declared length of %s, whatever fits into a number here: 413",
    async (length) => {
      for (const path of ["/orders", "/orders/batch"]) {
        const head = httpRequest("POST", path, { ...jsonBody, "content-length": length });
        expectProblem(await refusedHere(() => answerTo(head + "x".repeat(17_000))), "body_too_large");
      }
    },
  );

  test.each(["GET", "HEAD"])("a body where something is read with %s: 413", async (method) => {
    for (const headers of [{ "content-length": "5" }, { "transfer-encoding": "chunked" }] as const) {
      const body = "content-length" in headers ? "12345" : "5\r\n12345\r\n0\r\n\r\n";
      const connection = await connectHttp(balancer.port);
      const before = seen();
      connection.write(httpRequest(method, "/openapi.json", headers) + body);
      if (method === "GET") expectProblem(await connection.answer(), "body_too_large");
      connection.close();
      expect(seen()).toBe(before);
    }
  });

  test("a long URI: 414, long headers: 431, alone or with the order", async () => {
    const uri = httpRequest("POST", `/orders?${"q".repeat(1_024)}`, jsonBody, order);
    expectProblem(await refusedHere(() => answerTo(uri)), "uri_too_long");
    const alone = httpRequest("POST", "/orders/batch", { ...jsonBody, note: "x".repeat(9_000) }, "[]");
    expectProblem(await refusedHere(() => answerTo(alone)), "headers_too_large");
    const together = httpRequest(
      "POST",
      "/orders",
      { ...jsonBody, note: "x".repeat(6_000) },
      "y".repeat(8_000),
    );
    expectProblem(await refusedHere(() => answerTo(together)), "headers_too_large");
  });

  // What has no readable head is answered by HAProxy's own text: no setting reaches that. The status is right.
  test.each([
    "no HTTP at all\r\n\r\n",
    "GET /orders\r\n\r\n",
    httpRequest("POST", "/orders", { "content-length": "many" }),
    httpRequest("POST", "/orders", { ...jsonBody, note: "x".repeat(17_000) }, order),
  ])("no head of HTTP, or too long a one: 400", async (bytes) => {
    expect((await refusedHere(() => answerTo(bytes))).status).toBe(400);
  });

  test("a head that does not end: 408", async () => {
    const bytes = "POST /orders HTTP/1.1\r\nHost: coffee-ord";
    expect((await refusedHere(() => answerTo(bytes))).status).toBe(408);
  });

  test("a body that is not what its head says: 400", async () => {
    const requests = async () => Number((await balancer.row("orders", "FRONTEND")).req_tot);
    const before = await requests();
    const connection = await connectHttp(balancer.port);
    connection.write(httpRequest("POST", "/orders", { ...jsonBody, "transfer-encoding": "chunked" }));
    await until("its head has been read", async () => (await requests()) > before);
    connection.write("no length of a chunk\r\n");
    expectProblem(await refusedHere(() => connection.answer()), "malformed_request");
  });

  test("a body that does not end: 408", async () => {
    const bytes = httpRequest("POST", "/orders", { ...jsonBody, "content-length": "200" }, order);
    expectProblem(await refusedHere(() => answerTo(bytes)), "body_timeout");
  });

  test("a body above 1 MB, before it has come: 413", async () => {
    const declared = { ...jsonBody, "content-length": "1048577" };
    const bytes = httpRequest("POST", "/orders/batch", declared, "x".repeat(20_000));
    expectProblem(await refusedHere(() => answerTo(bytes)), "body_too_large");
  });

  test("a body above 1 MB that comes at once: 413", async () => {
    const body = "x".repeat(3_000_000);
    expectProblem(
      await refusedHere(() => answerTo(httpRequest("POST", "/orders/batch", jsonBody, body))),
      "body_too_large",
    );
  });
});

test("a body of 1 MB passes whole", async () => {
  const body = "x".repeat(1_048_576);
  expect((await answerTo(httpRequest("POST", "/orders/batch", jsonBody, body))).status).toBe(200);
  expect(producer.requests.at(-1)).toEndWith(body.slice(-1_000));
  expect(producer.requests.at(-1)?.length).toBeGreaterThan(body.length);
});

describe("a chunked body that is here whole", () => {
  const chunked = (path: string, chunks: string) =>
    httpRequest("POST", path, { ...jsonBody, "transfer-encoding": "chunked" }) + chunks;
  const oneByOne = [...order].map((byte) => `1\r\n${byte}\r\n`).join("");

  test.each([
    ["plain", `${order.length.toString(16)}\r\n${order}\r\n0\r\n\r\n`],
    ["with trailers", `${order.length.toString(16)}\r\n${order}\r\n0\r\nX-Check: 1\r\nDigest: a=b\r\n\r\n`],
    ["with an extension", `${order.length.toString(16)};a=b\r\n${order}\r\n0\r\n\r\n`],
    ["byte by byte", `${oneByOne}0\r\nX-Check: 1\r\n\r\n`],
  ])("%s comes to the producer with its length", async (_, chunks) => {
    for (const path of ["/orders", "/orders/batch"]) {
      const connection = await connectHttp(balancer.port);
      connection.write(chunked(path, chunks) + chunked(path, chunks));
      expect((await connection.answer()).status).toBe(200);
      expect((await connection.answer()).status).toBe(200);
      connection.close();
      const [first = "", second = ""] = producer.requests.slice(-2);
      expect(first).toContain(`content-length: ${order.length}\r\n`);
      expect(first).not.toMatch(/transfer-encoding|x-check/i);
      expect(first).toEndWith(`\r\n\r\n${order}`);
      expect(second).toEndWith(`\r\n\r\n${order}`);
    }
  });
});

test("no server is told what a client expects, as it would say 100 once more: HAProxy cut off the end of a long answer then", async () => {
  const expecting = (bytes: string) => bytes.replace(/\r\n/, `$&${"Expect: 100-continue\r\n".repeat(2)}`);
  const read = httpRequest("GET", "/openapi.json");
  for (const bytes of [
    read,
    read.replace("HTTP/1.1", "HTTP/1.0"),
    httpRequest("POST", "/orders", jsonBody, order),
  ]) {
    expect((await answerTo(expecting(bytes))).status).toBe(200);
    expect(producer.requests.at(-1)).not.toMatch(/^expect:/im);
  }
});

test("HTTP/1.0 needs no Host", async () => {
  const bytes = `POST /orders HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: ${order.length}\r\n\r\n${order}`;
  expect((await answerTo(bytes)).status).toBe(200);
});

describe("more requests from one address than are allowed", () => {
  const post = httpRequest("POST", "/orders", jsonBody, order);
  const statuses = async (requests: number, to: Balancer, from?: string) => {
    const found: number[] = [];
    for (let n = 0; n < requests; n++) found.push((await answerTo(post, to, from)).status);
    return found;
  };

  test("are refused with 429 before any server sees them, those from others are not", async () => {
    const env = { REQUESTS_PER_10S: "5" };
    await using limited = await startBalancer({ producers: [producer.port], env });
    expect(await statuses(5, limited)).toEqual([200, 200, 200, 200, 200]);
    const answer = await refusedHere(() => answerTo(post, limited));
    expectProblem(answer, "rate_limited");
    expect(await statuses(2, limited, "127.0.0.2")).toEqual([200, 200]);
    expect(await statuses(1, limited)).toEqual([429]);
  });

  test("do not exist by default", async () => {
    expect(new Set(await statuses(300, balancer))).toEqual(new Set([200]));
  });
});

describe("more requests than a producer may have", () => {
  test("wait for a short while, and are refused at once where too many wait", async () => {
    using busy = startStandIn("hang");
    const replace = {
      "maxconn 2000 maxqueue 300": "maxconn 1 maxqueue 1",
      // Long enough for a busy machine to ask twice while the second waits.
      "timeout queue 2s": "timeout queue 5s",
    };
    await using full = await startBalancer({ producers: [busy.port], replace });
    const post = httpRequest("POST", "/orders", jsonBody, order);
    const first = await connectHttp(full.port);
    first.write(post);
    await until("the producer has the first", () => busy.requests.length === 1);
    const second = await connectHttp(full.port);
    second.write(post);

    await until("the second waits", async () => (await full.row("producers", "producer1")).qcur === "1");

    expectProblem(await answerTo(post, full), "unavailable");
    expect((await full.row("producers", "producer1")).qcur).toBe("1");
    expectProblem(await second.answer(), "unavailable");
    expect(busy.requests.length).toBe(1);
    first.close();
    second.close();
  });
});

test("a connection is kept for longer than every answer tells", async () => {
  const replace = { "timeout http-keep-alive 15s": "timeout http-keep-alive 2s", "timeout=10": "timeout=1" };
  await using quick = await startBalancer({ producers: [producer.port], replace });
  for (const path of ["/orders", "/nowhere"]) {
    const connection = await connectHttp(quick.port);
    // From before it asks, as its answer may be read late; and the next longer time limit is 10 s.
    const sinceMs = performance.now();
    const { headers } = await connection.request("GET", path);
    expect(headers.get("keep-alive")).toBe("timeout=1");
    expect(headers.get("connection")).toBeNull();
    await until("it is closed", () => !connection.isOpen);
    expect(performance.now() - sinceMs).toBeWithin(1_900, 9_500);
  }
});

test("operators see the statistics, and metrics for Prometheus", async () => {
  const base = `http://127.0.0.1:${balancer.operatorsPort}`;
  expect(await (await fetch(`${base}/`)).text()).toContain("Statistics Report");
  const metrics = await (await fetch(`${base}/metrics`)).text();
  expect(metrics).toMatch(/haproxy_server_status\{proxy="producers",server="producer1",state="UP"\} 1/);
});

test("operators read each instance's own pages by its place, whatever its state, and the interface's by any that is ready", async () => {
  const instance = (name: string, status: number) =>
    Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: ({ url }) => new Response(name + new URL(url).pathname, { status }),
    });
  const servers = [instance("p1", 200), instance("p2", 503), instance("c1", 200)] as const;
  const [p1, p2, c1] = servers.map(({ port }) => port as number) as [number, number, number];
  await using own = await startBalancer({ producers: [p1, p2], consumers: [c1] });
  await own.producerIs(2, "DOWN");
  const read = async (path: string, method = "GET") => {
    const answer = await fetch(`http://127.0.0.1:${own.operatorsPort}${path}`, { method });
    return `${answer.status} ${await answer.text()}`;
  };
  expect(await read("/producer1/metrics")).toBe("200 p1/metrics");
  expect(await read("/producer2/readyz")).toBe("503 p2/readyz");
  expect(await read("/consumer1/metrics")).toBe("200 c1/metrics");
  for (const path of ["/producer3/metrics", "/consumer2/readyz"])
    expect(await read(path)).toStartWith("503 {");
  expect(await read("/producer1/metrics", "POST")).toStartWith("405");
  for (const path of ["/producer1/orders", "/producer1/openapi.json"])
    expect(await read(path)).toContain("Statistics Report");
  for (const path of ["/api", "/api/swagger-ui.css", "/api/swagger-ui-bundle.js", "/openapi.json"]) {
    expect(await read(path)).toBe(`200 p1${path}`);
    expect(await read(path, "POST")).toStartWith("405");
  }
  expect(await read("/orders")).toContain("Statistics Report");
  await servers[0].stop(true);
  expect(await read("/producer1/metrics")).toStartWith("503 {");
  await own.producerIs(1, "DOWN");
  expect(await read("/api")).toMatch(/^503 .*no producer is ready"}$/);
  for (const server of servers) await server.stop(true);
});

test("a thousand look-ups that wait for 9 s are answered by one consumer, all at once", async () => {
  let [open, most] = [0, 0];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch({ url }) {
      if (url.endsWith("/readyz")) return new Response("ready\n");
      open += 1;
      most = Math.max(most, open);
      await Bun.sleep(9_000);
      open -= 1;
      return Response.json({ status: "handled" });
    },
  });
  const env = { LOOKUPS_PER_CLIENT: "1000" };
  await using own = await startBalancer({
    ...{ producers: [producer.port], consumers: [server.port as number], env },
  });
  const request = `GET /orders/${id} HTTP/1.1\r\nHost: x\r\nPrefer: wait=20\r\n\r\n`;
  const answers = await Promise.all(Array.from({ length: 1_000 }, () => answerTo(request, own)));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  // More, where the consumer misses a check on a busy machine and all are asked once more.
  expect(most).toBeGreaterThanOrEqual(1_000);
  await server.stop(true);
}, 120_000);

test("a look-up goes also to a consumer that is not ready, on to another if that can't tell, and to none that drains", async () => {
  const start = (name: string) => {
    const told = { reason: "no order was finished for 75 s\n", checks: 0, status: 200 };
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch({ url }) {
        if (!url.endsWith("/readyz")) return Response.json({ name }, { status: told.status });
        told.checks += 1;
        return new Response(told.reason, { status: 503 });
      },
    });
    return { told, port: server.port as number, [Symbol.dispose]: () => void server.stop(true) };
  };
  using one = start("one");
  using other = start("other");
  await using own = await startBalancer({ producers: [producer.port], consumers: [one.port, other.port] });
  const asked = async () => {
    const url = `http://127.0.0.1:${own.port}/orders/${id}`;
    const answers = await Promise.all(Array.from({ length: 6 }, () => fetch(url)));
    const names = answers.map(async (answer) => ((await answer.json()) as { name: string }).name);
    return new Set(await Promise.all(names));
  };
  await until("both were often looked at", () => one.told.checks > 8 && other.told.checks > 8);
  expect(await asked()).toEqual(new Set(["one", "other"]));
  one.told.status = 503;
  expect(await asked()).toEqual(new Set(["other"]));
  one.told.status = 200;
  one.told.reason = "draining\n";
  await until("one is asked no more", async () => (await asked()).size === 1);
  expect(await asked()).toEqual(new Set(["other"]));
});
