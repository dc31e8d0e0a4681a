// The configuration itself: HAProxy takes it without a warning in every way it is used, its answers are those of the
// table of outcomes, and its numbers agree with those of the producers.
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { producerConfig } from "../src/config.ts";
import { maxBatchOrders } from "../src/limits.ts";
import { outcomes, type ProblemName } from "../src/outcomes.ts";
import { configPath, haproxy } from "./testing/balancer.ts";

const text = readFileSync(configPath, "utf8");

describe("HAProxy takes it without a warning", () => {
  const servers = { PRODUCER_1: "127.0.0.1:3000", CONSUMER_1: "127.0.0.1:3001" };
  test.each<[string, Record<string, string>]>([
    ["servers by address", { ...servers, PRODUCER_2: "127.0.0.1:3002", PRODUCER_3: "127.0.0.1:3003" }],
    ["servers by name", { PRODUCER_DNS: "producer:3000", CONSUMER_DNS: "consumer:3001" }],
    ["with a rate limit", { ...servers, RATE_LIMIT_PER_10S: "100" }],
    ["elsewhere", { ...servers, LB_BIND: "0.0.0.0:8081", LB_STATS_BIND: "[::1]:8405" }],
  ])("%s", (_, env) => expect(check(env)).toEqual({ exitCode: 0, said: "Configuration file is valid\n" }));

  test("but not without a producer", () => {
    const { exitCode, said } = check({ CONSUMER_1: "127.0.0.1:3001" });
    expect(exitCode).toBe(1);
    expect(said).toContain("PRODUCER_1");
  });
});

function check(env: Record<string, string>) {
  const { exitCode, stdout, stderr } = Bun.spawnSync([haproxy(), "-dW", "-c", "-f", configPath], { env });
  return { exitCode, said: `${stdout}${stderr}` };
}

describe("its own answers are rows of the table", () => {
  const documents = [...text.matchAll(/'(\{"type".*?\})'/g)].map(([, json = ""]) => JSON.parse(json));
  const rows = documents.map((document) => [document.type.split(":").at(-1), document] as const);

  test("and there is one for each of its errors", () => {
    const wanted = [400, 404, 408, 413, 429, 500, 502, 503, 504];
    expect(documents.map(({ status }) => status).sort()).toEqual(wanted);
    const errors = [...text.matchAll(/^ *http-error status (\d+) content-type application\/problem\+json/gm)];
    expect(errors.map(([, status]) => Number(status))).toEqual(wanted);
  });

  test.each(rows)("%s", (name, document) => {
    const { status, title, fate, retryAfterS } = outcomes[name as ProblemName];
    const type = `urn:problem-type:coffee-orders:${name}`;
    expect(document).toEqual({ type, title, status, detail: expect.any(String), fate });
    const retryAfter = new RegExp(`http-error status ${status} .*hdr Retry-After (\\d+)`).exec(text)?.[1];
    expect(retryAfter).toBe(retryAfterS === undefined ? undefined : String(retryAfterS));
  });
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

  test("a producer answers before it is given up, and that before the client is", () => {
    expect(producer.DELIVERY_TIMEOUT_MS).toBeLessThan(server);
    expect(server).toBeLessThan(client);
  });

  test("a producer that drains is out in half the time until it refuses", () => {
    expect(inter + (fall - 1) * fastinter).toBeLessThan(producer.DRAIN_NOTICE_MS / 2);
  });

  test("one that vanished is out within 3 s", () => {
    const connectLimit = Math.min(connect, inter);
    expect(inter + (fall - 1) * fastinter + fall * connectLimit).toBeLessThanOrEqual(3_000);
  });

  test("an old process outlives the last request of any connection", () => {
    expect(keepAlive + server).toBeLessThanOrEqual(milliseconds("hard-stop-after"));
  });

  test("a producer's connections outlive those that wait in the pool", () => {
    const idleTimeoutS = Number(/idleTimeout: (\d+)/.exec(readSource("../src/http/server.ts"))?.[1]);
    expect(milliseconds("pool-purge-delay")).toBeLessThan((idleTimeoutS * 1_000) / 2);
  });

  test("the longest order fits into a buffer with its head, so that it can be sent again", () => {
    expect(producer.MAX_BODY_BYTES + 4_096).toBeLessThan(number("tune.bufsize") - 1_024);
  });

  test("clients are told to close a connection well before it is closed", () => {
    const toldS = Number(/set-header Keep-Alive timeout=(\d+)$/m.exec(text)?.[1]);
    expect(toldS * 1_000).toBeLessThanOrEqual(keepAlive - 5_000);
  });

  test("what is too much is refused here first, by a producer next, and never by Kafka's client", () => {
    const { MAX_IN_FLIGHT_ORDERS: orders, MAX_IN_FLIGHT_BYTES: bytes, MAX_BODY_BYTES: longest } = producer;
    expect(number("default-server maxconn") + 2 * maxBatchOrders).toBeLessThanOrEqual(orders);
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
