// The client that k6 runs, against a balancer that answers as it is told to: what it sends, when it sends it again,
// and that its record says what it was told.
import { afterEach, describe, expect, test } from "bun:test";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { capture } from "../../kit/capture.ts";
import { until } from "../../kit/until.ts";
import { orderId } from "../../src/wire/order-id.ts";
import { newCredentials } from "../../testing/credentials.ts";
import { readAnswers } from "../client/answers.ts";
import { type LoadOptions, startLoadRun } from "./run.ts";

const TEST_LIMIT_MS = 90_000;

const opened: { stop(force: boolean): unknown }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.stop(true);
});

type Request = { atMs: number; key: string; customers: string[]; isBatch: boolean };

/** Gives each key these answers, one after another, the last for good; and the requests it saw. */
function balancer(...answers: ((request: Request) => Response | Promise<Response>)[]) {
  const seen: Request[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      // Whether anybody is here.
      if (request.method === "GET") return new Response(null, { status: 404 });
      const document = (await request.json()) as { customer: string } | { customer: string }[];
      const one = {
        atMs: Date.now(),
        key: request.headers.get("idempotency-key") ?? "",
        customers: [document].flat().map(({ customer }) => customer),
        isBatch: new URL(request.url).pathname === "/orders/batch",
      };
      const tries = seen.filter(({ key }) => key === one.key).length;
      seen.push(one);
      return (answers[Math.min(tries, answers.length - 1)] as (typeof answers)[number])(one);
    },
  });
  opened.push(server);
  const url = `http://127.0.0.1:${server.port}`;
  return {
    url,
    seen,
    load: (changes: Partial<LoadOptions> = {}) => startLoadRun({ ...small, url, ...changes }),
  };
}
const small = { profile: "smoke", rate: 5, durationSeconds: 1 } as const;
/** The keys of a request's orders. */
const keysOf = ({ key, customers, isBatch }: Request) =>
  customers.map((_, n) => (isBatch ? `${key}/${n}` : key));
const outcome = (customer: string, key: string) => ({ status: 202, id: orderId(customer, key) });
const refusal = { status: 503, fate: "refused" };
const outcomes = (request: Request, of: (customer: string, key: string, n: number) => object) =>
  Response.json(
    { outcomes: request.customers.map((customer, n) => of(customer, `${request.key}/${n}`, n)) },
    { status: 207 },
  );
const accepts = (request: Request) =>
  request.isBatch
    ? outcomes(request, outcome)
    : Response.json(outcome(request.customers[0] ?? "", request.key), { status: 202 });
const refuses = (retryAfter: string) => () =>
  new Response("{}", { status: 503, headers: { "retry-after": retryAfter } });
const requestsIn = (seen: Request[]) => new Set(seen.map(({ key }) => key)).size;

describe("k6's client", () => {
  test(
    "sends each order under a key of its own, and records what it was told",
    async () => {
      const { seen, load } = balancer(accepts);
      const { answers, dropped, crossed } = await load().done;
      expect({ dropped, crossed }).toEqual({ dropped: 0, crossed: [] });
      expect(answers.length).toBeGreaterThanOrEqual(5);
      expect(answers.map(({ key }) => key).sort()).toEqual([...new Set(seen.flatMap(keysOf))].sort());
      expect(new Set(answers.map(({ key }) => key)).size).toBe(answers.length);
      expect(new Set(answers.map(({ sent }) => sent))).toEqual(
        new Set(["single", "batch", "single-chunked"]),
      );
      for (const { key, customer, startedMs, endedMs, attempts, firstStatus, status, fate, id } of answers) {
        expect({ attempts, firstStatus, status, fate, id }).toEqual({
          attempts: 1,
          firstStatus: 202,
          status: 202,
          fate: "accepted",
          id: orderId(customer, key),
        });
        expect(endedMs).toBeGreaterThanOrEqual(startedMs);
      }
    },
    TEST_LIMIT_MS,
  );

  test(
    "sends some once more when they are accepted, and records what it was told then",
    async () => {
      const { seen, load } = balancer(accepts, () => new Response("{}", { status: 422 }));
      const { answers, crossed } = await load().done;
      expect(crossed).toEqual([]);
      const again = answers.filter(({ againStatus }) => againStatus !== undefined);
      expect(again.length).toBeGreaterThan(0);
      for (const { key, fate, attempts, againStatus } of again) {
        expect(seen.filter((one) => one.key === key)).toHaveLength(2);
        expect({ fate, attempts, againStatus }).toEqual({ fate: "accepted", attempts: 1, againStatus: 422 });
      }
    },
    TEST_LIMIT_MS,
  );

  test(
    "sends a batch again as a whole while one of its orders needs it, and keeps what was accepted",
    async () => {
      const first = (one: Request) =>
        one.isBatch
          ? outcomes(one, (customer, key, n) => (n === 7 ? refusal : outcome(customer, key)))
          : accepts(one);
      const { seen, load } = balancer(first, (one) =>
        one.isBatch
          ? outcomes(one, (customer, key, n) => (n < 20 ? outcome(customer, key) : refusal))
          : accepts(one),
      );
      const { answers, crossed } = await load().done;
      const batch = answers.filter(({ sent }) => sent === "batch");
      const isFirst = ({ key }: { key: string }) =>
        key.startsWith(`${seen.find((one) => one.isBatch)?.key}/`);
      const told = batch.filter(isFirst).map(({ fate, attempts, firstStatus, againStatus }) => ({
        fate,
        attempts,
        firstStatus,
        againStatus,
      }));
      expect(told).toHaveLength(40);
      for (const [n, one] of told.entries())
        expect(one).toEqual({
          fate: "accepted",
          attempts: n === 7 ? 2 : 1,
          firstStatus: n === 7 ? 503 : 202,
          againStatus: n === 7 ? undefined : n < 20 ? 202 : 503,
        } as (typeof told)[number]);
      expect(seen.filter((one) => one.isBatch)).toHaveLength(2);
      // A 207 alone is no success.
      expect(crossed).toEqual(["tries_failed: rate==0"]);
    },
    TEST_LIMIT_MS,
  );

  test(
    "tries again with the same key, not before it may, and remembers the first answer",
    async () => {
      const { seen, load } = balancer(refuses("2"), accepts);
      const { answers, crossed } = await load().done;
      for (const { key, attempts, firstStatus, status, fate } of answers) {
        const [first, second] = seen.filter((one) => keysOf(one).includes(key));
        expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(1_990);
        expect({ attempts, firstStatus, status, fate }).toEqual({
          attempts: 2,
          firstStatus: 503,
          status: 202,
          fate: "accepted",
        });
      }
      expect(crossed).toEqual(["tries_failed: rate==0"]);
    },
    TEST_LIMIT_MS,
  );

  test(
    "gives up after three retries; one answer that was lost leaves an order unknown for good",
    async () => {
      const lost = () => new Response("{}", { status: 502 });
      const { seen, load } = balancer(lost, refuses("0"), refuses("0"), refuses("0"), accepts);
      const { answers, crossed } = await load().done;
      expect(seen).toHaveLength(requestsIn(seen) * 4);
      expect(answers).toHaveLength(new Set(seen.flatMap(keysOf)).size);
      for (const { attempts, firstStatus, status, fate } of answers)
        expect({ attempts, firstStatus, status, fate }).toEqual({
          attempts: 4,
          firstStatus: 502,
          status: 503,
          fate: "unknown",
        });
      expect(crossed).toContain("orders_accepted: rate==1");
    },
    TEST_LIMIT_MS,
  );

  test(
    "does not repeat what is wrong",
    async () => {
      const { seen, load } = balancer(() => new Response("{}", { status: 422 }));
      const { answers } = await load().done;
      expect(seen).toHaveLength(requestsIn(seen));
      expect(new Set(answers.map(({ fate }) => fate))).toEqual(new Set(["refused"]));
    },
    TEST_LIMIT_MS,
  );

  test(
    "ends at once when it is told to; what was under way is unknown, and nothing stays behind",
    async () => {
      const never = Promise.withResolvers<Response>();
      const { seen, load } = balancer(async (one) => {
        if (seen.findIndex(({ key }) => key === one.key) % 2 === 0) return never.promise;
        return accepts(one);
      });
      const running = load({ durationSeconds: 60 });
      await until("some orders are answered", () => seen.length >= 6, 30_000);
      const startedMs = performance.now();
      await running.stop();
      expect(performance.now() - startedMs).toBeLessThan(15_000);
      const { answers } = await running.done;
      expect(new Set(answers.map(({ fate }) => fate))).toEqual(new Set(["accepted", "unknown"]));
      never.resolve(new Response());
    },
    TEST_LIMIT_MS,
  );

  test(
    "shows the keys that there are now, where they change",
    async () => {
      using credentials = newCredentials();
      const ca = credentials.newCa("ca");
      const { cert, key } = ca.certificate("edge");
      const shown: string[] = [];
      const server = Bun.serve({
        ...{ hostname: "127.0.0.1", port: 0, tls: { cert, key } },
        async fetch({ headers }) {
          const isOfK6 = !headers.get("idempotency-key")?.includes("-p");
          if (isOfK6) shown.push(headers.get("authorization") ?? "");
          return Response.json(outcome("c0", headers.get("idempotency-key") ?? ""), { status: 202 });
        },
      });
      opened.push(server);
      const keys = [{ principal: "acme", token: "old" }];
      const access = { keys, caPath: ca.path, ca: ca.pem };
      const options = { ...small, access, url: `https://127.0.0.1:${server.port}`, durationSeconds: 60 };
      const running = startLoadRun({ ...options, keysChange: true });
      await until("it orders", () => shown.includes("Bearer old"));
      for (const one of keys) one.token = "new";
      const lately = (token: string) => shown.slice(-10).every((one) => one === `Bearer ${token}`);
      await until("it shows the new one alone", () => shown.length >= 10 && lately("new"));
      await running.stop();
    },
    TEST_LIMIT_MS,
  );

  test(
    "that can't run says why",
    async () => {
      const { load } = balancer(accepts);
      await expect(load({ rate: -1 }).done).rejects.toThrow(/k6 ended with \d+\n.*rate/s);
    },
    TEST_LIMIT_MS,
  );

  test(
    "keeps the record where it is told to",
    async () => {
      const { load } = balancer(accepts);
      const recordPath = join(tmpdir(), `coffee-orders-record-${crypto.randomUUID()}`);
      const { answers } = await load({ recordPath }).done;
      const file = Bun.file(recordPath);
      expect(readAnswers(await file.text())).toEqual(answers);
      await file.delete();
    },
    TEST_LIMIT_MS,
  );

  test(
    "sends what it is told to, whatever variables of k6's own there are, and says which it ignores",
    async () => {
      const { url, seen } = balancer(accepts);
      const argv = [process.execPath, join(import.meta.dir, "main.ts"), "--profile", "smoke", "--url", url];
      const env = {
        K6_ITERATIONS: "2",
        K6_VUS: "2",
        K6_DURATION: "1s",
        K6_NO_SUMMARY: "true",
        K6_ADDRESS: "no",
      };
      const options = ["--rate", "20", "--duration", "2s", "--ledger", "postgres://nobody@127.0.0.1:1/none"];
      const { stdout, stderr } = await capture([...argv, ...options], { limitMs: 60_000, env });
      expect(stderr).toContain("K6_ADDRESS, K6_DURATION, K6_ITERATIONS, K6_NO_SUMMARY, K6_VUS");
      expect(stdout).toMatch(/thresholds +none crossed/);
      expect(requestsIn(seen)).toBeGreaterThan(20);
    },
    TEST_LIMIT_MS,
  );

  test(
    "does not mix up two loads at once, also where both are told to keep one record",
    async () => {
      const { seen, load } = balancer(accepts);
      const recordPath = join(tmpdir(), `coffee-orders-record-${crypto.randomUUID()}`);
      const [one, other] = await Promise.all([load({ recordPath }).done, load({ recordPath }).done]);
      const keys = [one, other].map(({ answers }) => answers.map(({ key }) => key));
      expect(keys.flat().sort()).toEqual([...new Set(seen.flatMap(keysOf))].sort());
      expect(new Set(keys.flat()).size).toBe(keys.flat().length);
      const file = Bun.file(recordPath);
      expect([one.answers, other.answers]).toContainEqual(readAnswers(await file.text()));
      await file.delete();
    },
    TEST_LIMIT_MS,
  );
});
