/** The client against a server that answers as the balancer may, and its types against the document of today. */
import { afterAll, beforeEach, expect, test } from "bun:test";
import { join } from "node:path";
import { openApi } from "../src/http/server.ts";
import { createClient, tryLimitMs } from "./client.ts";
import { describeApi } from "./describe-api.ts";

const order = { customer: "c42", coffee: "latte", size: "medium", quantity: 2 } as const;
const accepted = { id: "b98a142b-6ad9-8a04-b1ce-b0407a8ec501", partition: 3, offset: 7 };
const problem =
  (status: number, headers = {}) =>
  () =>
    new Response(JSON.stringify({ type: "about:blank", title: "no", status, detail: "as it is" }), {
      status,
      headers: { "content-type": "application/problem+json", ...headers },
    });
const taken = () => Response.json(accepted, { status: 202 });

let keys: (string | null)[] = [];
let answers: (() => Response)[] = [];
const server = Bun.serve({
  port: 0,
  fetch: (request) => {
    keys.push(request.headers.get("idempotency-key"));
    return (answers.shift() ?? taken)();
  },
});
afterAll(() => server.stop(true));
beforeEach(() => {
  keys = [];
});
const place = (limitMs: number, ...given: typeof answers) => {
  answers = given;
  return createClient(server.url.origin, { limitMs }).place(order, "k");
};

test.each([408, 429, 500, 502, 503, 504])("after %d it is sent again, under the same key", async (status) => {
  expect(await place(10_000, problem(status))).toEqual(accepted);
  expect(keys).toEqual(["k", "k"]);
});

test("what is the request's own fault is refused, and not sent again", async () => {
  const error = await place(10_000, problem(422)).catch((fault) => fault);
  expect(error).toMatchObject({ name: "PlacingError", fate: "refused", key: "k", problem: { status: 422 } });
  expect(keys).toEqual(["k"]);
});

test("when its time is over it says whether it was refused for certain", async () => {
  const later = { "retry-after": "60" };
  expect(await place(1_000, problem(503, later)).catch(({ fate }) => fate)).toBe("refused");
  expect(await place(2_000, problem(502), problem(503, later)).catch(({ fate }) => fate)).toBe("unknown");
});

test("a key is made where none is given, another for each order", async () => {
  const client = createClient(server.url.origin);
  for (const _ of [1, 2]) expect(await client.place(order)).toEqual(accepted);
  expect(new Set(keys).size).toBe(2);
});

test("its types, and what is served, are of today's interface: «bun run client:types» makes them anew", () => {
  expect(JSON.parse(JSON.stringify(openApi))).toEqual(JSON.parse(JSON.stringify(describeApi())));
});

test("a try waits for longer than the balancer may take", async () => {
  const balancer = await Bun.file(join(import.meta.dir, "../lb/haproxy.cfg")).text();
  const longestS = Number(/within (\d+) s where each of its tries has to wait/.exec(balancer)?.[1]);
  expect(tryLimitMs).toBeGreaterThan(longestS * 1_000);
});
