// What becomes of a request whose producer fails in the middle of it: sent again with the same key while that helps,
// and when it does not, never called refused if anyone may have accepted it.
import { describe, expect, test } from "bun:test";
import { until } from "../kit/until.ts";
import { sampleOrder } from "../src/sample.ts";
import { type Balancer, startBalancer } from "../testing/balancer.ts";
import { newApiKey, newCredentials } from "../testing/credentials.ts";
import { connectHttp, type HttpAnswer, httpRequest, NoAnswerError } from "../testing/http-connection.ts";
import { jsonBody } from "../testing/load.ts";
import { expectProblem } from "./testing/expect-problem.ts";
import { exchange } from "./testing/hostile-client.ts";
import { type Behaviour, headerOf, type StandIn, startStandIn } from "./testing/stand-in.ts";

const order = JSON.stringify(sampleOrder());
const says = (status: string, fate: string | undefined, body = "{}") => ({
  answer: `HTTP/1.1 ${status}\r\n${fate ? `Order-Fate: ${fate}\r\n` : ""}Retry-After: 7\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
});
const accepted = says("202 Accepted", "accepted");
const refused = says("503 Service Unavailable", "refused", '{"fate":"refused"}');
/** Shorter than in the configuration, so that the tests do not take minutes. */
const shortTimeLimit = { "timeout server 7500ms": "timeout server 500ms" };

/** One order over a connection of its own. */
async function post(
  balancer: Balancer,
  headers: Record<string, string> = {},
  body = order,
  path = "/orders",
): Promise<HttpAnswer> {
  const connection = await connectHttp(balancer.port);
  try {
    return await connection.request("POST", path, { ...jsonBody, ...headers }, body);
  } finally {
    connection.close();
  }
}

/** Keys of which, by the hash, some lead to each of a few servers; the same ones in every run. */
const keys = Array.from({ length: 12 }, (_, n) => `key-${n}`);

const keysOf = ({ requests }: StandIn) => requests.map((request) => headerOf(request, "idempotency-key"));

const replayed: Behaviour[] = ["close", "junk", "hang"];
test.each(replayed)(
  "a producer that would %s costs nothing: another one gets the same request",
  async (behaviour) => {
    using broken = startStandIn(behaviour);
    using good = startStandIn(accepted);
    const ports = [broken.port, good.port];
    await using balancer = await startBalancer({ producers: ports, replace: shortTimeLimit });

    const answers = await Promise.all(keys.map((key) => post(balancer, { "idempotency-key": key })));

    expect(answers.map(({ status }) => status)).toEqual(keys.map(() => 202));
    expect(broken.requests.length).toBeGreaterThan(0);
    expect(keysOf(good).sort()).toEqual([...keys].sort());
    // The same in every byte, and so under the same key.
    expect(good.requests).toEqual(expect.arrayContaining([...broken.requests]));
  },
);

test("the balancer gives an order without a key one before its first try, and tells it", async () => {
  using broken = startStandIn("close");
  using good = startStandIn(accepted);
  await using balancer = await startBalancer({ producers: [broken.port, good.port] });

  // So many that never all of them lead to one of the two.
  const answers = await Promise.all(Array.from({ length: 48 }, () => post(balancer)));

  const told = answers.map(({ headers }) => headers.get("idempotency-key") ?? "none");
  for (const key of told) expect(key).toMatch(/^lb-[0-9a-f]{32}$/);
  expect(new Set(told).size).toBe(answers.length);
  expect(keysOf(good).sort()).toEqual(told.sort());
  expect(broken.requests.length).toBeGreaterThan(0);
  expect(good.requests).toEqual(expect.arrayContaining([...broken.requests]));
});

test("a client's key is passed on as it is, and leads to the same producer each time", async () => {
  using first = startStandIn(accepted);
  using second = startStandIn(accepted);
  using third = startStandIn(accepted);
  const producers = [first, second, third];
  await using balancer = await startBalancer({ producers: producers.map(({ port }) => port) });
  const written = [...keys, '"quoted, and with a comma"', "x".repeat(255)];

  for (const key of [...written, ...written, ...written])
    expect((await post(balancer, { "idempotency-key": key })).headers.get("idempotency-key")).toBeNull();

  const seen = producers.map(keysOf);
  for (const key of written)
    expect(seen.map((some) => some.filter((one) => one === key).length).sort()).toEqual([0, 0, 3]);
  for (const some of seen) expect(some.length).toBeGreaterThan(0);
});

describe("a refusal by a producer", () => {
  test("is passed on and never replayed, nor does it eject the producer", async () => {
    using shedding = startStandIn(refused);
    using another = startStandIn(refused);
    await using balancer = await startBalancer({ producers: [shedding.port, another.port] });

    for (const key of keys) {
      const answer = await post(balancer, { "idempotency-key": key });
      expect([answer.status, answer.headers.get("retry-after"), answer.body]).toEqual([
        503,
        "7",
        '{"fate":"refused"}',
      ]);
    }

    expect([...keysOf(shedding), ...keysOf(another)].sort()).toEqual([...keys].sort());
    for (const server of ["producer1", "producer2"]) {
      const { status, chkdown } = await balancer.row("producers", server);
      expect([status, chkdown]).toEqual(["UP", "0"]);
    }
  });

  test.each(["/orders", "/orders/batch"])(
    "says nothing of the producer that had %s before: unknown",
    async (path) => {
      using broken = startStandIn("close");
      using shedding = startStandIn(refused);
      await using balancer = await startBalancer({ producers: [broken.port, shedding.port] });

      for (const key of keys) {
        const answer = await post(balancer, { "idempotency-key": key }, order, path);
        const before = keysOf(broken).includes(key);
        expect([key, answer.status, JSON.parse(answer.body).fate]).toEqual([
          key,
          before ? 502 : 503,
          before ? "unknown" : "refused",
        ]);
      }
      expect(broken.requests.length).toBeGreaterThan(0);
      expect(broken.requests.length).toBeLessThan(keys.length);
    },
  );
});

describe("whatever an answer's status, its fate is what the producer says in Order-Fate", () => {
  const told = ["accepted", "refused", "mixed", "unknown", undefined] as const;
  const statuses = [
    "202 Accepted",
    "207 Multi-Status",
    "400 Bad Request",
    "422 Unprocessable",
    "503 Unavailable",
  ];
  const cases = told.flatMap((fate) => statuses.map((status) => [fate ?? "nothing", status, fate] as const));

  test.each(cases)("%s with %s", async (_, status, fate) => {
    using broken = startStandIn("close");
    using answering = startStandIn(says(status, fate, "as it was"));
    await using balancer = await startBalancer({ producers: [broken.port, answering.port] });
    for (const path of ["/orders", "/orders/batch"])
      for (const key of keys.map((one) => path + one)) {
        const answer = await post(balancer, { "idempotency-key": key }, order, path);
        const again = keysOf(broken).includes(key);
        const passes = fate === "accepted" || fate === "unknown" || (fate !== undefined && !again);
        if (passes) expect([answer.status, answer.body]).toEqual([Number(status.slice(0, 3)), "as it was"]);
        else expectProblem(answer, "connection_lost");
        expect(answer.headers.get("order-fate")).toBeNull();
      }
    const first = broken.requests.filter((request) => request.startsWith("POST /orders HTTP"));
    expect(first.length).toBeWithin(1, keys.length);
    expect(broken.requests.length).toBeGreaterThan(first.length);
  });
});

test("the deadline is set once and goes with every try; no client can set it, nor where an order goes", async () => {
  using broken = startStandIn("close");
  using good = startStandIn(accepted);
  await using balancer = await startBalancer({ producers: [broken.port, good.port] });
  const fromMs = Date.now();
  for (const key of keys)
    await post(balancer, { "idempotency-key": key, "answer-by": "1", "order-key": "mine" });
  const toMs = Date.now();
  for (const request of good.requests) {
    // The balancer reads its clock once a turn of its loop.
    expect(Number(headerOf(request, "answer-by")) - 20_000).toBeWithin(fromMs - 100, toMs + 1);
    expect(headerOf(request, "order-key")).toMatch(/^[0-9A-F]{40}$/);
  }
  expect(broken.requests.length).toBeGreaterThan(0);
  expect(good.requests).toEqual(expect.arrayContaining([...broken.requests]));
});

test("a key in quotes, with escapes and parameters, leads where it leads without", async () => {
  const producers = [1, 2, 3].map(() => startStandIn(accepted));
  await using balancer = await startBalancer({ producers: producers.map(({ port }) => port) });
  const plain = [...keys, 'a"b', "a\\b", "a\\\\b", "c\\\\d", 'e\\"f', "with, a comma", "semi;colon"];
  const quoted = (key: string) => `"${key.replace(/["\\]/g, "\\$&")}"`;
  const forms = [
    (key: string) => key,
    quoted,
    (key: string) => `${quoted(key)};p=1`,
    (key: string) => `${quoted(key)}; a="x;\\"y"; b`,
  ];

  for (const key of plain) {
    for (const form of forms) await post(balancer, { "idempotency-key": form(key) });
    const had = producers.map(({ requests }) => requests.length);
    expect(had.filter((count) => count > 0)).toEqual([forms.length]);
    for (const { requests } of producers) (requests as string[]).length = 0;
  }
  for (const producer of producers) producer[Symbol.dispose]();
});

describe("where every try fails", () => {
  test("the answer was lost: 502, unknown, with the key to try again", async () => {
    using broken = startStandIn("close");
    await using balancer = await startBalancer({ producers: [broken.port] });
    const answer = await post(balancer);
    expectProblem(answer, "connection_lost");
    expect(answer.headers.get("idempotency-key")).toBe(
      headerOf(broken.requests[0] ?? "", "idempotency-key") ?? "",
    );
    // The first try and three more.
    expect(broken.requests.length).toBe(4);
  });

  test("so was it for a client that had ended its side: not 400 refused; a look-up's has no fate", async () => {
    using broken = startStandIn("close later");
    const servers = { producers: [broken.port], consumers: [broken.port] };
    await using balancer = await startBalancer({ ...servers, env: { BATCHES_PER_CLIENT: "12" } });
    const half = { halfClosed: true, localAddress: "127.0.0.1" };
    const ask = async (...request: Parameters<typeof httpRequest>) => {
      const bytes = Buffer.from(httpRequest(...request));
      return (await exchange(balancer.port, [bytes], 1, half)).answers[0] as HttpAnswer;
    };
    // Where the end comes together with the request, as for most of some.
    const paths = keys.flatMap(() => ["/orders", "/orders/batch"]);
    for (const answer of await Promise.all(paths.map((path) => ask("POST", path, jsonBody, order))))
      expectProblem(answer, "connection_lost");
    const lookUp = await ask("GET", "/orders/79bb16df-55b5-8561-a257-5d4a740138a6");
    expect([lookUp.status, lookUp.body]).toEqual([502, expect.not.stringContaining("fate")]);
  });

  test("nor is it what a consumer's HTTP server says by itself, without a document", async () => {
    using broken = startStandIn(says("400 Bad Request", undefined, ""));
    await using balancer = await startBalancer({ producers: [broken.port], consumers: [broken.port] });
    const connection = await connectHttp(balancer.port);
    const answer = await connection.request("GET", "/orders/79bb16df-55b5-8561-a257-5d4a740138a6");
    connection.close();
    expect([answer.status, JSON.parse(answer.body).type]).toEqual([502, expect.stringMatching(/_lost$/)]);
    expect(answer.body).not.toContain("fate");
  });

  test("it did not come in time: 504, unknown", async () => {
    using broken = startStandIn("hang");
    await using balancer = await startBalancer({ producers: [broken.port], replace: shortTimeLimit });
    const answer = await post(balancer);
    expectProblem(answer, "answer_timeout");
    expect(answer.headers.get("idempotency-key")).toBe(
      headerOf(broken.requests[0] ?? "", "idempotency-key") ?? "",
    );
  });

  test("nor did a look-up's, of which no other consumer is asked: 504, without a fate", async () => {
    using broken = startStandIn("hang");
    const servers = { producers: [broken.port], consumers: [broken.port] };
    const replace = { "timeout server 25s": "timeout server 500ms" };
    await using balancer = await startBalancer({ ...servers, replace });
    const connection = await connectHttp(balancer.port);
    const answer = await connection.request("GET", "/orders/79bb16df-55b5-8561-a257-5d4a740138a6");
    connection.close();
    expect([answer.status, JSON.parse(answer.body).type]).toEqual([
      504,
      expect.stringMatching(/answer_timeout$/),
    ]);
    expect(answer.body).not.toContain("fate");
    expect(broken.requests.length).toBe(1);
  });

  test("the first had it and nobody else can be reached: not 503 refused but 502 unknown", async () => {
    using broken = startStandIn("close and listen no more");
    await using balancer = await startBalancer({ producers: [broken.port] });
    const answer = await post(balancer);
    expect(broken.requests.length).toBe(1);
    expectProblem(answer, "connection_lost");
  });

  test("nobody could be reached: 503, refused", async () => {
    using broken = startStandIn("close");
    await using balancer = await startBalancer({ producers: [broken.port] });
    broken[Symbol.dispose]();
    const answer = await post(balancer);
    expectProblem(answer, "unavailable");
    await balancer.producerIs(1, "DOWN");
    const later = await post(balancer);
    expectProblem(later, "unavailable");
  });

  test("a later request of the same connection is not answered at all: unknown as well", async () => {
    using broken = startStandIn("close");
    await using balancer = await startBalancer({ producers: [broken.port] });
    const connection = await connectHttp(balancer.port);
    expect((await connection.request("GET", "/nowhere")).status).toBe(404);
    expect(connection.request("POST", "/orders", jsonBody, order)).rejects.toThrow(NoAnswerError);
  });
});

describe("a key that was sent on before comes again, by a client that may not know it itself", () => {
  const again = { "idempotency-key": "again" };

  test("nobody can be reached by then: not 503 refused but 502 unknown", async () => {
    using broken = startStandIn("close");
    await using balancer = await startBalancer({ producers: [broken.port] });
    expectProblem(await post(balancer, again), "connection_lost");
    const given = (await post(balancer)).headers.get("idempotency-key") ?? "";
    broken[Symbol.dispose]();
    await balancer.producerIs(1, "DOWN");
    for (const key of ["again", given])
      expectProblem(await post(balancer, { "idempotency-key": key }), "connection_lost");
    // What never was sent on is refused each time, and told no key that it might come again with.
    for (const _ of [1, 2]) expectProblem(await post(balancer, { "idempotency-key": "new" }), "unavailable");
    const unsent = await post(balancer);
    expectProblem(unsent, "unavailable");
    expect(unsent.headers.get("idempotency-key")).toBeNull();
  });

  test("so many keys came since then that it is forgotten: unknown as well", async () => {
    using broken = startStandIn("close");
    const replace = { "size 200k": "size 1100" };
    await using balancer = await startBalancer({ producers: [broken.port], replace });
    expectProblem(await post(balancer, again), "connection_lost");
    broken[Symbol.dispose]();
    await balancer.producerIs(1, "DOWN");
    const connection = await connectHttp(balancer.port);
    for (let n = 0; n < 1_200; n += 1)
      await connection.request("POST", "/orders", { ...jsonBody, "idempotency-key": `other-${n}` }, order);
    connection.close();
    expectProblem(await post(balancer, again), "connection_lost");
  });

  test("it is one too many by then, or does not come whole in time: neither 429 nor 408 refused", async () => {
    using broken = startStandIn("close");
    const replace = { "body time 10s": "body time 1s" };
    const env = { REQUESTS_PER_10S: "5" };
    await using balancer = await startBalancer({ producers: [broken.port], env, replace });
    const late = async (key: string) => {
      const connection = await connectHttp(balancer.port);
      const headers = { ...jsonBody, "idempotency-key": key };
      connection.write(httpRequest("POST", "/orders", headers, order).slice(0, -1));
      const answer = await connection.answer();
      connection.close();
      return answer;
    };
    expectProblem(await post(balancer, again), "connection_lost");
    expectProblem(await late("again"), "connection_lost");
    expectProblem(await late("new"), "body_timeout");
    const slow = late("meanwhile");
    expectProblem(await post(balancer, { "idempotency-key": "meanwhile" }), "connection_lost");
    expectProblem(await slow, "connection_lost");
    expectProblem(await post(balancer, again), "connection_lost");
    expectProblem(await post(balancer, { "idempotency-key": "new" }), "rate_limited");
    await until("all is in the access log", () => balancer.accessLog().length === 7);
    // Each once it is over, which for two at a time may be in either order.
    const lines = balancer.accessLog().map((line) => JSON.parse(line));
    const statusesOf = (fate: string) =>
      lines.flatMap((line) => (line.fate === fate ? [line.status] : [])).sort();
    expect(statusesOf("refused")).toEqual([408, 429]);
    expect(statusesOf("unknown")).toEqual([502, 502, 502, 502, 502]);
  });

  const reload = (balancer: Balancer) =>
    until("it is reloaded", async () => {
      // Just after it has loaded a signal is lost now and then.
      balancer.signal("SIGUSR2");
      await Bun.sleep(500);
      return balancer.log().includes("Proxy orders stopped");
    });

  test("the balancer was reloaded since then, and has forgotten it: unknown as well", async () => {
    using broken = startStandIn("close and listen no more");
    await using balancer = await startBalancer({ producers: [broken.port] });
    expectProblem(await post(balancer, again), "connection_lost");
    await reload(balancer);
    expectProblem(await post(balancer, again), "connection_lost");
    expectProblem(await post(balancer), "unavailable");
  });

  test("the process before a reload sent it on, and goes on to until its end: unknown for as long", async () => {
    using broken = startStandIn("close");
    // The minute that is added to the old one's end is over at once.
    const replace = { "-m int lt 60": "-m int lt 0" };
    await using balancer = await startBalancer({ producers: [broken.port], replace });
    const kept = await connectHttp(balancer.port);
    expect((await kept.request("GET", "/nowhere")).status).toBe(404);
    await reload(balancer);
    const asked = kept.request("POST", "/orders", { ...jsonBody, ...again }, order);
    expect(asked).rejects.toThrow(NoAnswerError);
    await until("the old one has sent it on", () => broken.requests.length > 0);
    broken[Symbol.dispose]();
    await balancer.producerIs(1, "DOWN");
    expectProblem(await post(balancer, again), "connection_lost");
  });

  test("nobody knows yet whose it is, as it is one too many or has no valid credential: neither 429 nor 401 refused", async () => {
    using broken = startStandIn("close");
    using credentials = newCredentials();
    const acme = newApiKey("acme");
    const env = { LB_API_KEYS: credentials.write("keys", acme.line), REQUESTS_PER_10S: "4" };
    await using balancer = await startBalancer({ producers: [broken.port], env });
    const valid = { authorization: `Bearer ${acme.key}` };
    expectProblem(await post(balancer, { ...valid, ...again }), "connection_lost");
    const over = await post(balancer, { authorization: "Bearer over", ...again });
    expect([over.status, JSON.parse(over.body).fate]).toEqual([401, "unknown"]);
    // What has no key, or is no order, was not sent on before.
    expectProblem(await post(balancer, { authorization: "Bearer over" }), "unauthenticated");
    expectProblem(await post(balancer, again, order, "/orders/nowhere"), "unauthenticated");
    for (const path of ["/orders", "/orders/batch"])
      expectProblem(await post(balancer, { ...valid, ...again }, order, path), "connection_lost");
    expectProblem(await post(balancer, valid), "rate_limited");
    await until("all is in the access log", () => balancer.accessLog().length === 7);
    const fates = balancer.accessLog().map((line) => JSON.parse(line).fate);
    expect(fates).toEqual([
      ...["unknown", "unknown", "refused", "refused"],
      ...["unknown", "unknown", "refused"],
    ]);
  });

  test("the balancer was started a moment ago, and may have sent it on before: unknown as well", async () => {
    using broken = startStandIn("close");
    await using balancer = await startBalancer({ producers: [broken.port], env: { LB_FRESH: "0" } });
    broken[Symbol.dispose]();
    await balancer.producerIs(1, "DOWN");
    expectProblem(await post(balancer, again), "connection_lost");
    expectProblem(await post(balancer), "unavailable");
  });

  test("another try under it was accepted while the first was under way, which is refused: unknown, and so is the next", async () => {
    const first = Promise.withResolvers<void>();
    const told = ["refused", "accepted", "refused"];
    let asked = 0;
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      async fetch({ url }) {
        if (url.endsWith("/readyz")) return new Response("ready\n");
        const fate = told[asked++] ?? "";
        if (asked === 1) await first.promise;
        return new Response("{}", {
          status: fate === "refused" ? 503 : 202,
          headers: { "order-fate": fate },
        });
      },
    });
    await using balancer = await startBalancer({ producers: [server.port as number] });
    const slow = post(balancer, again);
    await until("it has the first", () => asked === 1);
    expect((await post(balancer, again)).status).toBe(202);
    first.resolve();
    expectProblem(await slow, "connection_lost");
    expectProblem(await post(balancer, again), "connection_lost");
    await server.stop(true);
  });

  test("two come under one key at the same moment, on two threads: who is refused knows of who is accepted", async () => {
    const firsts = new Map<string, PromiseWithResolvers<void>>();
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      async fetch(request) {
        if (request.method === "GET") return new Response("ready\n");
        const key = request.headers.get("idempotency-key") ?? "";
        const first = firsts.get(key) ?? Promise.withResolvers<void>();
        firsts.set(key, first);
        const accepted = (await request.text()) === "first";
        // Who is answered before the other one was sent on knows nothing of it.
        if (accepted) first.resolve();
        else await first.promise;
        const headers = { "order-fate": accepted ? "accepted" : "refused" };
        return new Response("{}", { status: accepted ? 202 : 503, headers });
      },
    });
    await using balancer = await startBalancer({
      producers: [server.port as number],
      replace: { "    maxconn 9000": "    maxconn 9000\n    nbthread 8" },
    });
    const connections = await Promise.all(Array.from({ length: 64 }, () => connectHttp(balancer.port)));
    const told: string[] = [];
    for (let round = 0; round < 60; round += 1)
      await Promise.all(
        connections.map(async (connection, n) => {
          const headers = { ...jsonBody, "idempotency-key": `${round}-${n >> 1}` };
          const order = n % 2 === 0 ? "first" : "other";
          told.push(`${order} ${(await connection.request("POST", "/orders", headers, order)).status}`);
        }),
      );
    for (const connection of connections) connection.close();
    await server.stop(true);
    expect(new Set(told)).toEqual(new Set(["first 202", "other 502"]));
  });

  /** A producer that had the key and is gone; and then another one in its place, which refuses. */
  async function refusing(path: string, answer: Behaviour, keys: readonly string[]) {
    using broken = startStandIn("close");
    await using balancer = await startBalancer({ producers: [broken.port] });
    expectProblem(await post(balancer, again, order, path), "connection_lost");
    broken[Symbol.dispose]();
    await balancer.producerIs(1, "DOWN");
    using shedding = startStandIn(answer, "127.0.0.1", broken.port);
    await balancer.producerIs(1, "UP");
    await until("for batches too", async () => (await balancer.row("batches", "producer1")).status === "UP");
    const told: unknown[] = [];
    for (const key of keys) {
      const { status, body } = await post(
        balancer,
        { "idempotency-key": key, "sent-before": "1" },
        order,
        path,
      );
      told.push([key, status, JSON.parse(body).fate]);
    }
    return { told, knew: shedding.requests.map((request) => headerOf(request, "sent-before") !== undefined) };
  }

  test.each(["/orders", "/orders/batch"])("a producer refuses %s for the moment: unknown", async (path) => {
    const { told, knew } = await refusing(path, refused, ["again", "again", "new", "new"]);
    expect(told).toEqual([
      ["again", 502, "unknown"],
      ["again", 502, "unknown"],
      ["new", 503, "refused"],
      ["new", 503, "refused"],
    ]);
    // Told by the balancer alone, for a batch's single orders.
    expect(knew).toEqual([true, true, false, false]);
  });

  test("a producer that finds fault with it is believed, and nothing is forgotten by that", async () => {
    const faulty = says("422 Unprocessable", "refused", '{"fate":"refused"}');
    const { told, knew } = await refusing("/orders", faulty, ["again", "again"]);
    expect(told).toEqual(["again", "again"].map((key) => [key, 422, "refused"]));
    expect(knew).toEqual([true, true]);
  });
});

test("a body that does not fit into the buffer is sent once only: 502, unknown", async () => {
  using broken = startStandIn("close");
  using good = startStandIn("close");
  await using balancer = await startBalancer({ producers: [broken.port, good.port] });
  const body = JSON.stringify(Array.from({ length: 400 }, (_, n) => sampleOrder(n)));
  expect(body.length).toBeGreaterThan(16_384);
  const answer = await post(balancer, {}, body, "/orders/batch");
  expectProblem(answer, "connection_lost");
  expect(broken.requests.length + good.requests.length).toBe(1);
});
