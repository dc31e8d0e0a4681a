// Bodies that do not end, come byte by byte, are answered before they are there, or end all at once, against the shipped
// configuration at full scale: whoever sends them, orders of others are taken as ever, and so are their batches.
import { afterEach, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { ascending, percentile } from "../kit/percentile.ts";
import { until } from "../kit/until.ts";
import { sampleOrder } from "../src/sample.ts";
import { type Balancer, startBalancer } from "../testing/balancer.ts";
import { connectHttp, type HttpConnection, httpRequest } from "../testing/http-connection.ts";
import { jsonBody } from "../testing/load.ts";
import { startCluster } from "./testing/cluster.ts";
import { expectProblem } from "./testing/expect-problem.ts";
import { type Producers, startProducers } from "./testing/producers.ts";

const batchOf = (orders: number) => JSON.stringify(Array.from({ length: orders }, (_, n) => sampleOrder(n)));
/** Just longer than the balancer's buffer, of a declared megabyte. */
const unfinished =
  httpRequest("POST", "/orders/batch", { ...jsonBody, "content-length": "1000000" }) + " ".repeat(17_500);
const addressOf = (n: number) => `127.0.0.${n + 2}`;

const opened: HttpConnection[] = [];
afterEach(() => {
  for (const connection of opened.splice(0)) connection.close();
});

/** So many clients of each address, which send the same and no more; those are left out that are not let in. */
async function clients(balancer: Balancer, addresses: number, ofEach: number, bytes: string) {
  const all: HttpConnection[] = [];
  for (let address = 0; address < addresses; address += 1)
    for (let n = 0; n < ofEach; n += 100) {
      const count = Math.min(100, ofEach - n);
      const some = Array.from({ length: count }, async () => {
        try {
          return [await connectHttp(balancer.port, addressOf(address))];
        } catch (error) {
          if ((error as { code?: string }).code === "ECONNRESET") return [];
          throw error;
        }
      });
      all.push(...(await Promise.all(some)).flat());
    }
  opened.push(...all);
  for (const connection of all) connection.write(bytes);
  return all;
}

const underWay = async (balancer: Balancer, backend: string): Promise<number> => {
  const rows = await Promise.all([1, 2, 3].map((n) => balancer.row(backend, `producer${n}`)));
  return rows.reduce((sum, { scur }) => sum + Number(scur), 0);
};

async function expectNoneEjected(balancer: Balancer): Promise<void> {
  for (const backend of ["producers", "batches"])
    for (const n of [1, 2, 3]) {
      const { status, chkdown } = await balancer.row(backend, `producer${n}`);
      expect([status, chkdown]).toEqual(["UP", "0"]);
    }
}

/** The most memory that a producer has had, in MB. */
const peakMb = (producers: Producers): number =>
  Math.max(
    ...[1, 2, 3].map((n) => {
      const status = readFileSync(`/proc/${producers.number(n).pid}/status`, "utf8");
      return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1_024;
    }),
  );

/**
 * Orders beside it: all are accepted. A hundred a second at most, of ten clients that each wait for their answer: a machine that
 * can't take as many has fewer of them, and none is refused for that. @returns their 99th percentile, ms, told and not judged
 */
async function ordersBeside(balancer: Balancer, orders: number): Promise<number> {
  const answers: { status: number; latencyMs: number }[] = [];
  let sent = 0;
  const client = async () => {
    const connection = await connectHttp(balancer.port);
    opened.push(connection);
    while (sent < orders) {
      const sinceMs = performance.now();
      const order = JSON.stringify(sampleOrder(sent++));
      const { status } = await connection.request("POST", "/orders", jsonBody, order);
      const latencyMs = performance.now() - sinceMs;
      answers.push({ status, latencyMs });
      await Bun.sleep(Math.max(0, 100 - latencyMs));
    }
  };
  await Promise.all(Array.from({ length: 10 }, client));
  expect(answers.filter(({ status }) => status !== 202)).toEqual([]);
  return percentile(ascending(answers.map(({ latencyMs }) => latencyMs)), 99);
}

async function start(replace = {}) {
  const stack = new AsyncDisposableStack();
  const cluster = stack.use(startCluster());
  const producers = stack.use(await startProducers(cluster.env));
  const balancer = stack.use(await startBalancer({ producers: producers.ports, replace }));
  await ordersBeside(balancer, 100);
  return { producers, balancer, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

test("7,500 batches that do not end take no order's place", async () => {
  await using system = await start();
  const { balancer, producers } = system;
  const beforeMs = await ordersBeside(balancer, 300);
  const slow = await clients(balancer, 3, 2_500, unfinished);
  const duringMs = await ordersBeside(balancer, 600);
  console.log(
    `p99 ${beforeMs.toFixed(0)} ms without, ${duringMs.toFixed(0)} ms beside them; ${peakMb(producers).toFixed(0)} MB`,
  );
  await expectNoneEjected(balancer);
  // They never had more than the places of batches, and have none when their time is over.
  await until("no batch is under way", async () => (await underWay(balancer, "batches")) === 0);
  await until("all are answered", () => slow.every(({ isOpen }) => !isOpen));
});

test("200 of one address leave the batches of others served", async () => {
  await using system = await start();
  const { balancer } = system;
  await clients(balancer, 1, 200, unfinished);
  await until(
    "they have all that one address may have",
    async () => (await underWay(balancer, "batches")) === 8,
  );
  // First, while they have their places: those are theirs for 10 s.
  const refused = await connectHttp(balancer.port, addressOf(0));
  opened.push(refused);
  expectProblem(await refused.request("POST", "/orders/batch", jsonBody, batchOf(2)), "rate_limited");
  for (let n = 1; n <= 30; n += 1) {
    const connection = await connectHttp(balancer.port, addressOf(n));
    opened.push(connection);
    expect((await connection.request("POST", "/orders/batch", jsonBody, batchOf(500))).status).toBe(207);
  }
});

test("a batch that comes byte by byte holds its place for 10 s, and no longer, whoever goes on sending", async () => {
  await using system = await start();
  const { balancer } = system;
  const slow = await clients(balancer, 1, 8, unfinished);
  const trickle = setInterval(() => {
    for (const connection of slow) if (connection.isOpen) connection.write(" ");
  }, 200);
  try {
    await until("they are under way", async () => (await underWay(balancer, "batches")) === 8);
    await until("none is any more", async () => (await underWay(balancer, "batches")) === 0);
  } finally {
    clearInterval(trickle);
  }
});

test.each([
  ["in another media type", 415, { "content-type": "text/plain", "content-length": "1000000" }],
  ["with a malformed key", 400, { ...jsonBody, "content-length": "1000000", "idempotency-key": '"' }],
])("a batch %s is answered before it is there, and its place is free at once", async (_, wanted, headers) => {
  await using system = await start({ "body time 10s": "body time 30s" });
  const { balancer } = system;
  const bytes = httpRequest("POST", "/orders/batch", headers) + " ".repeat(17_500);
  const slow = await clients(balancer, 1, 8, bytes);
  for (const connection of slow) {
    const { status, body } = await connection.answer();
    expect([status, JSON.parse(body)]).toEqual([
      wanted,
      expect.objectContaining({ status: wanted, fate: "refused" }),
    ]);
  }
  // They send no more, and neither hang up. Well before any time limit would have freed them:
  await until("none is under way", async () => (await underWay(balancer, "batches")) === 0, 20_000);
});

test("a batch that is refused while its client is sending is answered, as long as it may be", async () => {
  await using system = await start();
  const { balancer } = system;
  const type = { "content-type": "text/plain" };
  const bytes = httpRequest("POST", "/orders/batch", type, " ".repeat(1_000_000));
  for (const connection of await clients(balancer, 10, 8, bytes))
    expectProblem(await connection.answer(), "unsupported_media_type");
});

test.each([
  ["declared", { ...jsonBody, "content-length": "8192" }, "{".repeat(8_000)],
  ["chunked", { ...jsonBody, "transfer-encoding": "chunked" }, `1f40\r\n${"{".repeat(8_000)}`],
  [
    "with as many headers",
    { ...jsonBody, "content-length": "8192", note: "x".repeat(7_000) },
    "{".repeat(8_000),
  ],
])("an order that does not end, %s, never comes to a producer", async (_, headers, part) => {
  await using system = await start();
  const { balancer } = system;
  const sessions = async () => Number((await balancer.row("producers", "BACKEND")).stot);
  const before = await sessions();
  const slow = await clients(balancer, 1, 100, httpRequest("POST", "/orders", headers) + part);
  for (const connection of slow) expect([408, 431]).toContain((await connection.answer()).status);
  expect(await sessions()).toBe(before);
});

test("152 batches of a megabyte that end together take no order's place, and little memory", async () => {
  await using system = await start();
  const { balancer, producers } = system;
  const whole = batchOf(1_000);
  const body = whole.padEnd(1_000_000, " ");
  const sending = await clients(
    balancer,
    19,
    8,
    httpRequest("POST", "/orders/batch", jsonBody, body).slice(0, -1),
  );
  const answers = sending.map((connection) => connection.answer());
  const orders = ordersBeside(balancer, 500);
  for (const connection of sending) connection.write(" ");
  const [p99Ms, ...answered] = await Promise.all([orders, ...answers]);
  const statuses = answered.map(({ status }) => status);
  console.log(`p99 ${p99Ms.toFixed(0)} ms; ${peakMb(producers).toFixed(0)} MB`);
  expect(statuses.filter((status) => status !== 207 && status !== 503)).toEqual([]);
  expect(statuses.filter((status) => status === 207).length).toBeGreaterThan(0);
  await expectNoneEjected(balancer);
});

test("10,000 half requests of one address leave others served, from wherever they come", async () => {
  await using system = await start();
  const { balancer } = system;
  const beforeMs = await ordersBeside(balancer, 300);
  const half = await clients(balancer, 1, 10_000, "POST /orders HTTP/1.1\r\nHost: coffee-orders\r\n");
  await until(
    "it has all that one address may have",
    () => half.filter(({ isOpen }) => isOpen).length === 3_200,
  );
  const duringMs = await ordersBeside(balancer, 600);
  for (let n = 1; n <= 30; n += 1) {
    const connection = await connectHttp(balancer.port, addressOf(n));
    opened.push(connection);
    expect((await connection.request("POST", "/orders/batch", jsonBody, batchOf(50))).status).toBe(207);
  }
  console.log(`p99 ${beforeMs.toFixed(0)} ms without, ${duringMs.toFixed(0)} ms beside them`);
  await expectNoneEjected(balancer);
});

test("one address may hold so many connections and no more; others are let in", async () => {
  await using balancer = await startBalancer({ producers: [1], env: { CONNECTIONS_PER_CLIENT: "50" } });
  const held = await clients(balancer, 1, 80, "POST ");
  await until("the rest is closed", () => held.filter(({ isOpen }) => isOpen).length === 50);
  const other = await connectHttp(balancer.port, addressOf(1));
  opened.push(other);
  expect((await other.request("GET", "/nowhere")).status).toBe(404);
});
