import { afterEach, describe, expect, test } from "bun:test";
import { comesTrue } from "../../kit/until.ts";
import { orderId } from "../../src/wire/order-id.ts";
import { type Client, startClient } from "./client.ts";

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
  return { seen, url: server.url.href };
}
const accepts = () => Response.json({ id: "an id", partition: 0, offset: 0 }, { status: 202 });
const answers = (status: number, headers?: Record<string, string>) => () =>
  new Response("{}", { status, ...(headers && { headers }) });

/** Lets a client send one order and hear its end. */
async function oneOrder(url: string): Promise<Client> {
  const client = startClient(url, 20);
  opened.push(client);
  await comesTrue(() => client.counts().open > 0, 5_000, 1);
  await client.stop();
  return client;
}
const fates = ({ answers }: Client) => [...new Set(answers.map(({ fate }) => fate))];

describe("an order", () => {
  test("that is answered 202 is accepted under the id that the answer gives", async () => {
    const { seen, url } = balancer(accepts);
    const client = await oneOrder(url);
    expect(client.answers[0]).toMatchObject({ id: "an id", fate: "accepted" });
    expect(client.counts()).toEqual({ accepted: seen.length, open: 0, failures: 0 });
  });

  test("that is refused for now is sent again with the same key", async () => {
    const { seen, url } = balancer(answers(503), answers(429), accepts);
    const client = await oneOrder(url);
    expect(fates(client)).toEqual(["accepted"]);
    expect(seen.filter(({ key }) => key === seen[0]?.key)).toHaveLength(3);
    expect(client.counts().failures).toBe(seen.length - client.answers.length);
  });

  test("waits as long as the answer says before it is sent again", async () => {
    const { url } = balancer(answers(503, { "retry-after": "1" }), accepts);
    const startMs = performance.now();
    expect(fates(await oneOrder(url))).toEqual(["accepted"]);
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(1_000);
  });

  test("that is always refused stays refused after three retries, under the id that it would have had", async () => {
    const { seen, url } = balancer(answers(503));
    const client = await oneOrder(url);
    const [first] = seen as [Request];
    expect(fates(client)).toEqual(["refused"]);
    expect(seen.filter(({ key }) => key === first.key)).toHaveLength(4);
    expect(client.answers.map(({ id }) => id)).toContain(orderId(first.order.customer, first.key));
  });

  test("that is wrong is not sent again", async () => {
    const { seen, url } = balancer(answers(422));
    const client = await oneOrder(url);
    expect(fates(client)).toEqual(["refused"]);
    expect(new Set(seen.map(({ key }) => key)).size).toBe(seen.length);
  });

  test.each([504, 502, 500])(
    "whose answer was once %d stays unknown, whatever is refused later",
    async (status) => {
      const { url } = balancer(answers(status), answers(422));
      expect(fates(await oneOrder(url))).toEqual(["unknown"]);
    },
  );

  test("whose 202 can't be read is unknown until a retry is answered", async () => {
    const { url } = balancer(() => new Response("half of", { status: 202 }), accepts);
    const client = await oneOrder(url);
    expect(fates(client)).toEqual(["accepted"]);
    expect(client.counts().failures).toBe(client.answers.length);
  });

  test("that nobody answers is unknown", async () => {
    const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: accepts });
    await server.stop(true);
    expect(fates(await oneOrder(server.url.href))).toEqual(["unknown"]);
  });
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

test("a client that is let go tries nothing again", async () => {
  const { seen, url } = balancer(answers(503));
  const client = startClient(url, 20);
  await comesTrue(() => seen.length > 0);
  client[Symbol.dispose]();
  await client.stop();
  expect(client.answers.length).toBe(seen.length);
});
