// The stage before an edge that asks who is there: real HAProxy by TLS with API keys, a real producer behind it.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { loadPrincipals } from "../infra/secure/names.ts";
import { until } from "../kit/until.ts";
import { type Cluster, startCluster } from "../lb/testing/cluster.ts";
import { anOrder } from "../src/sample.ts";
import { orderId } from "../src/wire/order-id.ts";
import { type Balancer, fixedPort, startBalancer } from "../testing/balancer.ts";
import { newApiKey, newCredentials } from "../testing/credentials.ts";
import { startTier, type TierProcess } from "../testing/tier-process.ts";
import type { Source } from "./sources/source.ts";
import { openStage, type Stage } from "./stage.ts";
import { createFeed } from "./testing/feed.ts";

const limitMs = 120_000;
const credentials = newCredentials();
const ca = credentials.newCa("ca");
const given = loadPrincipals.map((principal) => ({ principal, ...newApiKey(principal) }));
const access = {
  keys: given.map(({ principal, key }) => ({ principal, token: key })),
  caPath: ca.path,
  ca: ca.pem,
};

let cluster: Cluster;
let producer: TierProcess;
let balancer: Balancer;
let source: Source;
let stage: Stage;
beforeAll(async () => {
  cluster = startCluster();
  const port = fixedPort();
  producer = startTier("producer", { ...cluster.env, HTTP_PORT: String(port) });
  const env = {
    LB_CERT: ca.certificate("edge").path,
    LB_API_KEYS: credentials.write("keys", given.map(({ line }) => line).join("")),
    LB_POLICY: credentials.write("policy", loadPrincipals.map((name) => `${name} *\n`).join("")),
  };
  await producer.ready();
  balancer = await startBalancer({ producers: [port], env });
  source = { ...createFeed(0).source, kind: "secured", url: `https://127.0.0.1:${balancer.port}`, access };
  stage = openStage(source);
}, limitMs);
afterAll(async () => {
  await stage?.close();
  await balancer?.[Symbol.asyncDispose]();
  await producer?.[Symbol.asyncDispose]();
  cluster?.[Symbol.dispose]();
  credentials[Symbol.dispose]();
}, limitMs);

test(
  "its load is let in, whatever the mix, and each order is known by the id of its principal",
  async () => {
    let before = 0;
    // The one in pieces takes seconds, by the same client.
    for (const mix of ["batch", "single", "keyed"]) {
      await stage.act({ do: "load", paused: true, mix });
      await stage.act({ do: "burst", orders: 12 });
      await until(`${mix} is answered`, () => stage.state().verdict.sent >= before + 12, limitMs);
      await until("all of it is", () => stage.state().load.open === 0, limitMs);
      before = stage.state().verdict.sent;
    }
    // A 202 under another id than that of customer, key and principal would count as lost.
    const { sent, accepted, lost } = stage.state().verdict;
    expect({ accepted, lost }).toEqual({ accepted: sent, lost: 0 });
    expect(new Set(balancer.accessLog().map((line) => JSON.parse(line).principal))).toEqual(
      new Set(loadPrincipals),
    );
  },
  limitMs,
);

test("an order by form is let in too, and found again by customer and key", async () => {
  const id = await stage.act({ do: "place", order: JSON.stringify(anOrder) });
  const records = await cluster.read("orders");
  const record = records.find(({ key }) => String(key) === id);
  expect(record).toBeDefined();
  expect((await stage.oneOrder.find(id ?? "")).status).toBe("accepted");
  const { idOf } = stage.oneOrder;
  expect(idOf({ customer: "c1", key: "run-4" })).toBe(orderId("c1", "run-4", "load-2"));
  expect(idOf({ customer: "c1", key: "run-4", principal: "shop" })).toBe(orderId("c1", "run-4", "shop"));
});

test(
  "k6 is let in by the same keys, and what it is told counts as it comes",
  async () => {
    const { sent: before } = stage.state().verdict;
    expect(await stage.act({ do: "profile", name: "mix" })).toStartWith("SECURE=1 bun run load ");
    await until("it is answered", () => (stage.state().profile?.accepted ?? 0) > 20, limitMs);
    await stage.act({ do: "stop-profile" });
    const { sent, lost } = stage.state().verdict;
    expect({ error: stage.state().profile?.error, lost }).toEqual({ error: "", lost: 0 });
    expect(sent).toBeGreaterThan(before);
  },
  limitMs,
);

test("whoever looks is told no secret", async () => {
  const texts = JSON.stringify([stage.state(), await stage.export()]);
  for (const { token } of access.keys) expect(texts).not.toContain(token);
  expect(texts).not.toContain("CERTIFICATE");
});
