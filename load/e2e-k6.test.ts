// The client that k6 runs, against a balancer that answers as it is told to: what it sends, when it sends it again,
// and that its record says what it was told.
import { afterEach, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { orderId } from "../src/order-id.ts";
import { until } from "../src/testing/until.ts";
import { type LoadOptions, startLoad } from "./run.ts";

const TEST_LIMIT_MS = 90_000;

const opened: { stop(force: boolean): unknown }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.stop(true);
});

type Request = { atMs: number; key: string; customer: string };

/** Gives each key these answers, one after another, the last for good; and the requests it saw. */
function balancer(...answers: ((request: Request) => Response | Promise<Response>)[]) {
  const seen: Request[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      const { customer } = (await request.json()) as { customer: string };
      const one = { atMs: Date.now(), key: request.headers.get("idempotency-key") ?? "", customer };
      const tries = seen.filter(({ key }) => key === one.key).length;
      seen.push(one);
      return (answers[Math.min(tries, answers.length - 1)] as (typeof answers)[number])(one);
    },
  });
  opened.push(server);
  const url = `http://127.0.0.1:${server.port}`;
  return { seen, load: (changes: Partial<LoadOptions> = {}) => startLoad({ ...small, url, ...changes }) };
}
const small = { profile: "smoke", rate: 5, durationSeconds: 1 } as const;
const accepts = ({ key, customer }: Request) =>
  Response.json({ id: orderId(customer, key) }, { status: 202 });
const refuses = (retryAfter: string) => () =>
  new Response("{}", { status: 503, headers: { "retry-after": retryAfter } });

describe("k6's client", () => {
  test(
    "sends each order under a key of its own, and records what it was told",
    async () => {
      const { seen, load } = balancer(accepts);
      const { answers, dropped, crossed } = await load().done;
      expect({ dropped, crossed }).toEqual({ dropped: 0, crossed: [] });
      expect(answers.length).toBeGreaterThanOrEqual(5);
      expect(answers.map(({ key }) => key).sort()).toEqual(seen.map(({ key }) => key).sort());
      expect(new Set(answers.map(({ key }) => key)).size).toBe(answers.length);
      for (const { key, customer, startedMs, endedMs, ...told } of answers) {
        expect(told).toEqual({
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
    "tries again with the same key, not before it may, and remembers the first answer",
    async () => {
      const { seen, load } = balancer(refuses("2"), accepts);
      const { answers, crossed } = await load().done;
      for (const { key, attempts, firstStatus, status, fate } of answers) {
        const [first, second] = seen.filter((one) => one.key === key);
        expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(1_990);
        expect({ attempts, firstStatus, status, fate }).toEqual({
          attempts: 2,
          firstStatus: 503,
          status: 202,
          fate: "accepted",
        });
      }
      expect(crossed).toEqual(["http_req_failed: rate==0"]);
    },
    TEST_LIMIT_MS,
  );

  test(
    "gives up after three retries; one answer that was lost leaves an order unknown for good",
    async () => {
      const lost = () => new Response("{}", { status: 502 });
      const { seen, load } = balancer(lost, refuses("0"), refuses("0"), refuses("0"), accepts);
      const { answers, crossed } = await load().done;
      expect(seen).toHaveLength(answers.length * 4);
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
      expect(seen).toHaveLength(answers.length);
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
      expect(existsSync(recordPath)).toBe(true);
      const file = Bun.file(recordPath);
      expect((await file.text()).trim().split("\n")).toHaveLength(answers.length);
      await file.delete();
    },
    TEST_LIMIT_MS,
  );
});
