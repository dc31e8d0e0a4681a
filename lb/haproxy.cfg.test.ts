// The configuration itself: HAProxy takes it without a warning in every way it is used, its answers are those of the
// table of outcomes, and its numbers agree with those of the producers.
import { afterAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { orderLimitMs } from "../proof/client/policy.ts";
import { maxBatchBytes, maxBatchOrders, producerConfig } from "../src/config.ts";
import { timeLeftMs } from "../src/http/from-balancer.ts";
import { outcomes, type ProblemName } from "../src/outcomes.ts";
import { configPath, haproxy, keySecret } from "../testing/balancer.ts";
import { newCredentials } from "../testing/credentials.ts";

const text = readFileSync(configPath, "utf8");
const credentials = newCredentials();
const ca = credentials.newCa("ca");
const edge = ca.certificate("edge").path;
const nothing = credentials.write("nothing", "");
afterAll(() => credentials[Symbol.dispose]());

describe("HAProxy takes it without a warning", () => {
  const secret = { LB_KEY_SECRET: keySecret };
  const token = { LB_JWT_KEY: edge, LB_JWT_ISSUER: "i", LB_JWT_AUDIENCE: "a" };
  const servers = { ...secret, PRODUCER_1: "127.0.0.1:3000", CONSUMER_1: "127.0.0.1:3001" };
  test.each<[string, Record<string, string>]>([
    ["servers by address", { ...servers, PRODUCER_2: "127.0.0.1:3002", PRODUCER_3: "127.0.0.1:3003" }],
    ["servers by name", { ...secret, PRODUCER_DNS: "producer:3000", CONSUMER_DNS: "consumer:3001" }],
    ["without limits", { ...servers, REQUESTS_PER_10S: "0", ORDERS_PER_10S: "0", BYTES_PER_10S: "0" }],
    ["without an access log", { ...servers, LB_ACCESS_LOG: "0" }],
    ["with its log elsewhere", { ...servers, LB_ACCESS_LOG: "127.0.0.1:514 format rfc5424 sample 1:10" }],
    ["elsewhere", { ...servers, LB_OPEN: "1", LB_BIND: "0.0.0.0:8081", LB_STATS_BIND: "[::1]:8405" }],
    ["at two addresses", { ...servers, LB_OPEN: "1", LB_BIND: "0.0.0.0:8081,[::1]:8081" }],
    [
      "for operators where clients would be",
      { ...servers, LB_OPEN: "1", LB_BIND: "0.0.0.0:8081", LB_STATS_BIND: "127.0.0.1:8080" },
    ],
  ])("%s, and says that it is open", (_, env) => {
    const { exitCode, said } = check(env);
    expect(exitCode).toBe(0);
    expect(said.replace(/^.*\[NOTICE\].*OPEN: no credential is configured.*\n/m, "")).toBe(
      "Configuration file is valid\n",
    );
    expect(said).toContain("OPEN");
  });

  test.each<[string, Record<string, string>]>([
    ["certificates", { LB_CERT: edge, LB_CLIENT_CA: ca.path }],
    ["tokens", { ...token, LB_JWT_NEXT_KEY: edge }],
    ["keys", { LB_API_KEYS: nothing, LB_POLICY: nothing }],
  ])("anywhere with %s, and says nothing then", (_, env) => {
    const secured = { ...servers, LB_BIND: "0.0.0.0:8081", ...env };
    expect(check(secured)).toEqual({ exitCode: 0, said: "Configuration file is valid\n" });
  });

  test.each<[string, Record<string, string>, string]>([
    ["open beyond this machine", { LB_BIND: "0.0.0.0:8081" }, "LB_OPEN=1"],
    ["without what a token must say", { LB_JWT_KEY: edge, LB_JWT_ISSUER: "i" }, "LB_JWT_AUDIENCE"],
    ["with a shared secret, which would be the file's name", { ...token, LB_JWT_ALG: "HS256" }, "LB_JWT_ALG"],
    ["with clients' certificates, but without TLS", { LB_CLIENT_CA: ca.path }, "LB_CERT"],
    ["with a policy, but open", { LB_POLICY: nothing }, "LB_POLICY needs"],
    ["with the next key alone, but open", { LB_JWT_NEXT_KEY: edge }, "need LB_JWT_KEY"],
    ["with what a token must say, but open", { LB_JWT_ISSUER: "i" }, "need LB_JWT_KEY"],
    ["with an audience for API keys", { LB_API_KEYS: nothing, LB_JWT_AUDIENCE: "a" }, "need LB_JWT_KEY"],
    ["with a key that is not there", { ...token, LB_JWT_KEY: "/nowhere" }, "error opening file '/nowhere'"],
    ["with no next key there", { ...token, LB_JWT_NEXT_KEY: "/nowhere" }, "error opening file '/nowhere'"],
    ["for operators where clients are", { LB_PORT: "8404" }, "LB_STATS_BIND"],
    [
      "for operators where clients are, wherever that is",
      { LB_OPEN: "1", LB_BIND: "0.0.0.0:8081", LB_STATS_BIND: "0.0.0.0:8081" },
      "LB_STATS_BIND",
    ],
    ["for nobody", { CONNECTIONS_PER_CLIENT: "0" }, "1 at least"],
    ["for nobody's batches", { BATCHES_PER_CLIENT: "0" }, "1 at least"],
    ["for nobody's look-ups", { LOOKUPS_PER_CLIENT: "0" }, "1 at least"],
  ])("but not %s", (_, env, told) => {
    const { exitCode, said } = check({ ...servers, ...env });
    expect(exitCode).toBe(1);
    expect(said).toContain(told);
  });

  test.each(["PRODUCER_1", "LB_KEY_SECRET"] as const)("but not without %s", (name) => {
    const { [name]: _, ...rest } = servers;
    const { exitCode, said } = check(rest);
    expect(exitCode).toBe(1);
    expect(said).toContain(name);
  });

  test("nor with an empty secret, by which anybody could tell the keys", () => {
    const { exitCode, said } = check({ ...servers, LB_KEY_SECRET: "" });
    expect(exitCode).toBe(1);
    expect(said).toContain("LB_KEY_SECRET");
  });
});

function check(env: Record<string, string>) {
  const { exitCode, stdout, stderr } = Bun.spawnSync([haproxy(), "-dW", "-c", "-f", configPath], { env });
  return { exitCode, said: `${stdout}${stderr}` };
}

describe("its own answers are rows of the table", () => {
  // Of some the end is put together: for a look-up without the fate.
  const ended = (json: string) =>
    json.endsWith("}") ? json : `${json}${/"fate"/.test(json) ? "" : refused}}`;
  const refused = /setenv REFUSED '(.*)'/.exec(text)?.[1];
  const documents = [...text.matchAll(/'(\{"type".*?)'/g)].map(([, json = ""]) => JSON.parse(ended(json)));
  const operators = text.slice(text.indexOf("\nfrontend operators\n"));
  const lookups = text.slice(text.indexOf("\nbackend consumers\n"), -operators.length);

  test("and there is one for each of its errors; a look-up's and an operator's have no fate", () => {
    const errorsIn = (part: string) =>
      [...part.matchAll(/^ *http-error status (\d+) content-type application\/problem\+json/gm)].map(
        ([, status]) => Number(status),
      );
    expect(errorsIn(text.replace(lookups, "").replace(operators, ""))).toEqual([
      400, 401, 404, 408, 413, 429, 500, 502, 503, 504,
    ]);
    expect(errorsIn(lookups)).toEqual([400, 500, 502, 503, 504]);
    expect(errorsIn(operators)).toEqual([503]);
    expect(lookups + operators).not.toContain('fate"');
  });

  test.each(documents.map((document) => [document.type.split(":").at(-1), document]))(
    "%s",
    (name, document) => {
      const { status, title, fate, retryAfterS } = outcomes[name as ProblemName];
      const type = `urn:problem-type:coffee-orders:${name}`;
      const ofLookup = (lookups + operators).includes(JSON.stringify(document));
      expect(document).toMatchObject({ type, title, status, detail: expect.any(String) });
      // Where somebody posts, nothing that is not there has been accepted.
      const told = ["not_found", "unauthenticated", "rate_limited"].includes(name)
        ? [undefined, "refused"]
        : ofLookup
          ? [undefined]
          : [fate];
      expect(told).toContain(document.fate);
      const retryAfter = new RegExp(`http-error status ${status} .*hdr Retry-After (\\d+)`).exec(text)?.[1];
      expect(retryAfter).toBe(retryAfterS === undefined ? undefined : String(retryAfterS));
    },
  );
});

describe("its numbers agree", () => {
  const producer = producerConfig({ KAFKA_BROKERS: "kafka:9092" });
  const [connect, server, client, keepAlive] = [
    "timeout connect",
    "timeout server",
    "timeout client",
    "timeout http-keep-alive",
  ].map(milliseconds) as [number, number, number, number];
  const [inter, fastinter, fall] = [milliseconds("inter"), milliseconds("fastinter"), number("fall")];

  const tries = number("retries") + 1;
  const boundMs = tries * server;
  const longestMs = boundMs + tries * (milliseconds("timeout queue") + connect);
  const answerByMs = Number(/Answer-By %\[date\((\d+),ms\)\]$/m.exec(text)?.[1]);

  test("an order is answered within 30 s, whatever hangs; nobody is given up before that", () => {
    expect(boundMs).toBe(30_000);
    expect(boundMs).toBeLessThan(client);
    expect(boundMs).toBeLessThan(orderLimitMs);
  });

  test("and within 40 s where each of its tries waits for a place and for a connection, as its header says", () => {
    expect(longestMs).toBe(40_000);
    expect(text).toContain("within 40 s where each of its tries has to wait");
  });

  test("a producer answers the last try in time: it has what is left until Answer-By, and a second at least", () => {
    expect(producer.DELIVERY_TIMEOUT_MS).toBe(answerByMs);
    expect((tries - 1) * server).toBeGreaterThanOrEqual(answerByMs);
    expect(timeLeftMs(String(Date.now() - 10_000), answerByMs)).toBeLessThan(server);
    // A batch has one try, and its body 10 s besides.
    const batch = Number(/backend batches\n(?:.*\n)*? {4}timeout server (\d+)s$/m.exec(text)?.[1]) * 1_000;
    expect(answerByMs).toBeLessThan(batch);
    expect(batch).toBeLessThan(client);
  });

  test("a producer that drains is out in half the time until it refuses", () => {
    expect(inter + (fall - 1) * fastinter).toBeLessThan(producer.DRAIN_NOTICE_MS / 2);
  });

  test("one that vanished is out within 3 s", () => {
    const connectLimit = Math.min(connect, inter);
    expect(inter + (fall - 1) * fastinter + fall * connectLimit).toBeLessThanOrEqual(3_000);
  });

  test("an old process outlives the last request of any connection", () => {
    expect(keepAlive + longestMs).toBeLessThanOrEqual(milliseconds("hard-stop-after"));
    // The new one does not know which keys that one sends on, and says so for as long as any is remembered.
    const endsAfterS = Number(/set-var proc\.started date\((\d+)\)$/m.exec(text)?.[1]);
    expect(endsAfterS * 1_000).toBe(milliseconds("hard-stop-after"));
    expect(Number(/date,sub\(proc\.started\) -m int lt (\d+) /.exec(text)?.[1])).toBe(60);
    expect(text).toContain("expire 60s store gpc0,gpc1");
  });

  test("a producer's connections outlive those that wait in the pool", () => {
    const idleTimeoutS = Number(/idleTimeout: (\d+)/.exec(readSource("../src/http/server.ts"))?.[1]);
    expect(milliseconds("pool-purge-delay")).toBeLessThan((idleTimeoutS * 1_000) / 2);
  });

  test("the longest order fits into a buffer with its head, so that it can be sent again", () => {
    const whole = Number(/is_whole var\(txn.size\) -m int le (\d+)$/m.exec(text)?.[1]);
    // A block for each of 101 headers costs 8 bytes, of which the text without its line's end and colon saves 4.
    expect(whole + 1_024 + 101 * 4).toBeLessThan(number("tune.bufsize") - 1_024);
    expect(producer.MAX_BODY_BYTES + 4_096).toBeLessThan(whole);
    expect(number("MAX_BODY_BYTES")).toBe(producer.MAX_BODY_BYTES);
  });

  test("clients are told to close a connection well before it is closed", () => {
    const toldS = Number(/set-header Keep-Alive timeout=(\d+)$/m.exec(text)?.[1]);
    expect(toldS * 1_000).toBeLessThanOrEqual(keepAlive - 5_000);
  });

  test("what is too much is refused here first, by a producer next, and never by Kafka's client", () => {
    const { MAX_IN_FLIGHT_ORDERS: orders, MAX_IN_FLIGHT_BYTES: bytes, MAX_BODY_BYTES: longest } = producer;
    expect(number("maxconn 2000 maxqueue") + number("default-server maxconn")).toBeLessThanOrEqual(orders);
    expect(2 * maxBatchOrders).toBeLessThanOrEqual(orders / 2);
    // Bodies of batches at their longest have room in the half of the bytes.
    expect(Number(/maxconn (\d+) maxqueue 64$/m.exec(text)?.[1]) * maxBatchBytes).toBeLessThanOrEqual(
      bytes / 2,
    );
    // The longest order with its id and time.
    expect(orders * (longest + 100)).toBeLessThanOrEqual(bytes);
    const client = readSource("../src/kafka/producer.ts");
    const [messages = 0, kbytes = 0] = ["messages", "kbytes"].map((unit) =>
      Number(new RegExp(`"queue.buffering.max.${unit}": ([\\d_]+)`).exec(client)?.[1]?.replaceAll("_", "")),
    );
    // A quarter more, which is sent twice.
    expect(orders * 1.25).toBeLessThan(messages);
    expect(bytes * 1.25).toBeLessThan(kbytes * 1_024);
  });

  test("all that producers may have, and 2,000 slow clients besides, are within the number of connections", () => {
    expect(3 * (number("maxconn 2000 maxqueue") + 2_000) + 2_000).toBeLessThanOrEqual(number("maxconn"));
  });
});

const readSource = (path: string) => readFileSync(new URL(path, import.meta.url), "utf8");

/** A directive's number. */
function number(directive: string): number {
  const found = new RegExp(`^[^#\\n]*\\b${directive} (\\d+)$|^[^#\\n]*\\b${directive} (\\d+)\\b`, "m").exec(
    text,
  );
  if (!found) throw new Error(`no ${directive}`);
  return Number(found[1] ?? found[2]);
}

function milliseconds(directive: string): number {
  const found = new RegExp(`^[^#\\n]*\\b${directive} (\\d+)(ms|s|m)\\b`, "m").exec(text);
  if (!found) throw new Error(`no ${directive}`);
  return Number(found[1]) * { ms: 1, s: 1_000, m: 60_000 }[found[2] as "ms" | "s" | "m"];
}
