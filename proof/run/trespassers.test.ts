// An edge that lets one principal in to what is another's is found out, each way by itself; one that does not is not.
import { afterAll, expect, test } from "bun:test";
import { until } from "../../kit/until.ts";
import { orderId } from "../../src/wire/order-id.ts";
import { newCredentials } from "../../testing/credentials.ts";
import { effect, history, record, row, told } from "../testing/histories.ts";
import { judgedTrespasses, startTrespassers } from "./trespassers.ts";

const credentials = newCredentials();
afterAll(() => credentials[Symbol.dispose]());
const ca = credentials.newCa("edge-ca");
const shown = ca.certificate("edge");

const honest = {
  idOf: (customer: string, key: string, principal: string) => orderId(customer, key, principal),
  mayOrder: (principal: string) => principal !== "shop",
  mayRead: (principal: string, owner: string | undefined) => principal === owner,
};

/** What is tried at such an edge until ten orders were read, or tried to be. */
async function triedAt({ idOf, mayOrder, mayRead }: typeof honest) {
  const owners = new Map<string, string>();
  using edge = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    tls: { cert: shown.cert, key: shown.key },
    async fetch(request) {
      const principal = request.headers.get("authorization")?.slice("Bearer ".length) ?? "";
      if (request.method === "GET") {
        const owner = owners.get(new URL(request.url).pathname.slice("/orders/".length));
        return new Response(null, { status: mayRead(principal, owner) ? 200 : 404 });
      }
      const { customer } = (await request.json()) as { customer: string };
      if (!mayOrder(principal)) return Response.json({ status: 403, fate: "refused" }, { status: 403 });
      const id = idOf(customer, request.headers.get("idempotency-key") ?? "", principal);
      owners.set(id, principal);
      return Response.json({ id }, { status: 202 });
    },
  });
  const accessOf = (...principals: string[]) => ({
    keys: principals.map((principal) => ({ principal, token: principal })),
    caPath: ca.path,
    ca: ca.pem,
  });
  const at = { url: `https://127.0.0.1:${edge.port}`, access: accessOf("load-1", "load-2", "load-3") };
  const trespassers = startTrespassers(at, { outsider: accessOf("shop"), everyMs: 1 });
  await until("orders were read", () => trespassers.tried().reads >= 10);
  return trespassers.stop();
}

const usual = { readsLetIn: 0, writesLetIn: 0 };

test("nothing is let in: what is anybody's own is, and what was refused is known", async () => {
  const { tried, answers, forbidden } = await triedAt(honest);
  expect(tried).toMatchObject(usual);
  expect(tried.ownReads).toBeGreaterThanOrEqual(10);
  expect(new Set(answers.map(({ principal }) => principal))).toEqual(new Set(["load-1", "load-2", "load-3"]));
  expect(forbidden[0]).toMatchObject({ principal: "shop", fate: "refused" });
});

test("another's place taken by the same key", async () => {
  const { tried } = await triedAt({ ...honest, idOf: (customer, key) => orderId(customer, key) });
  expect(tried.writesLetIn).toBeGreaterThan(0);
});

test("an order for a customer of another", async () => {
  const { tried, forbidden } = await triedAt({ ...honest, mayOrder: () => true });
  expect(tried.writesLetIn).toBeGreaterThan(0);
  expect(forbidden.filter(({ fate }) => fate === "refused")).toEqual([]);
});

test("an order that another reads", async () => {
  const { tried } = await triedAt({ ...honest, mayRead: (_, owner) => owner !== undefined });
  expect(tried).toMatchObject({ ...usual, readsLetIn: tried.reads });
});

test("nobody reads anything: then nothing is said", async () => {
  const { tried } = await triedAt({ ...honest, mayRead: () => false });
  expect(tried).toMatchObject({ ...usual, ownReads: 0 });
});

test("an order that only another may place and that is there was let in, whatever its client was told", () => {
  const tried = { reads: 1, readsLetIn: 0, ownReads: 1, writes: 4, writesLetIn: 0 };
  const left = history({
    topic: [record("a", 0), record("b", 1)],
    ledger: [row("c", 2)],
    effects: [effect("c")],
  });
  const unknown = ["a", "c", "nowhere"].map((key) => told(key, { fate: "unknown" }));
  const forbidden = [...unknown, told("b", { fate: "refused" })];
  expect(judgedTrespasses(left, { tried, forbidden })).toEqual({ ...tried, writesLetIn: 3 });
});
