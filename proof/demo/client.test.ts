import { afterEach, expect, test } from "bun:test";
import { comesTrue } from "../../kit/until.ts";
import { canonicalJson } from "../../src/wire/canonical.ts";
import { orderId } from "../../src/wire/order-id.ts";
import { type DemoClient, startClient } from "./client.ts";

interface Request {
  key: string;
  order: { customer: string };
}

const opened: Disposable[] = [];
afterEach(() => {
  for (const one of opened.splice(0)) one[Symbol.dispose]();
});

/** A balancer that gives each key these answers, one after another, the last for good; and the requests it saw. */
function balancer(...answers: (() => Response)[]) {
  const seen: Request[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const key = request.headers.get("idempotency-key") ?? "";
      const tries = seen.filter((one) => one.key === key).length;
      seen.push({ key, order: (await request.json()) as Request["order"] });
      return answers[Math.min(tries, answers.length - 1)]?.() ?? new Response(null, { status: 500 });
    },
  });
  opened.push({ [Symbol.dispose]: () => void server.stop(true) });
  return { seen, url: server.url.origin };
}
const accepts = () => Response.json({ id: "an id", partition: 0, offset: 0 }, { status: 202 });
const answers = (status: number, headers?: Record<string, string>) => () =>
  new Response("{}", { status, ...(headers && { headers }) });

/** Lets a client send one order and hear its end. */
async function oneOrder(url: string): Promise<DemoClient> {
  const client = startClient(url, 20);
  opened.push(client);
  await comesTrue(() => client.counts().open > 0, 5_000, 1);
  await client.stop();
  return client;
}
test("an order that is answered 202 is accepted, and known by its own id whatever the answer gives", async () => {
  const { seen, url } = balancer(accepts);
  const client = await oneOrder(url);
  const [first] = seen as [Request];
  const id = orderId(first.order.customer, first.key);
  const digest = Bun.CryptoHasher.hash("sha256", canonicalJson(first.order), "base64url");
  expect(client.answers).toContainEqual({ id, fate: "accepted", digest, toldId: "an id" });
  expect(client.counts()).toEqual({ accepted: seen.length, open: 0, failures: 0 });
});

test("each answer that is none or no 202 is a failure, and the order is sent again with the same key", async () => {
  const { seen, url } = balancer(answers(503), answers(429), accepts);
  const client = await oneOrder(url);
  expect(new Set(client.answers.map(({ fate }) => fate))).toEqual(new Set(["accepted"]));
  expect(seen.filter(({ key }) => key === seen[0]?.key)).toHaveLength(3);
  expect(client.counts().failures).toBe(seen.length - client.answers.length);
});

test("what is refused in the end is so under the id that it would have had", async () => {
  const { seen, url } = balancer(answers(422));
  const client = await oneOrder(url);
  const [first] = seen as [Request];
  const refused = { id: orderId(first.order.customer, first.key), fate: "refused" as const };
  expect(client.answers).toContainEqual(expect.objectContaining(refused));
  expect(new Set(seen.map(({ key }) => key)).size).toBe(seen.length);
});

test("orders come at the rate, each under a key of its own", async () => {
  const { seen, url } = balancer(accepts);
  const client = startClient(url, 200);
  opened.push(client);
  const startMs = performance.now();
  await comesTrue(() => seen.length >= 200, 20_000, 5);
  const elapsedS = (performance.now() - startMs) / 1_000;
  await client.stop();
  expect(elapsedS).toBeGreaterThan(0.9);
  expect(new Set(seen.map(({ key }) => key)).size).toBe(seen.length);
});

test("a client that is let go tries nothing again, and knows nothing of what had no good answer", async () => {
  const { seen, url } = balancer(answers(503));
  const client = startClient(url, 20);
  await comesTrue(() => seen.length > 0);
  client[Symbol.dispose]();
  await client.stop();
  expect(client.answers.length).toBe(seen.length);
  expect(client.answers[0]?.fate).toBe("unknown");
});
