// An order's whole way through the balancer: taken by a producer, told of by a consumer.
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../kit/until.ts";
import { sampleOrder } from "../src/sample.ts";
import { fixedPort, startBalancer } from "../testing/balancer.ts";
import { newApiKey, newCredentials } from "../testing/credentials.ts";
import { jsonBody } from "../testing/load.ts";
import { startTier } from "../testing/tier-process.ts";
import { startCluster } from "./testing/cluster.ts";
import { startProducers } from "./testing/producers.ts";

test("one principal neither takes another's key nor reads its order, wherever that is", async () => {
  using cluster = startCluster();
  const folder = mkdtempSync(join(tmpdir(), "coffee-orders-ledger-"));
  const consumerPort = fixedPort();
  const ledger = { LEDGER_URL: `sqlite:${join(folder, "ledger.sqlite")}`, HTTP_PORT: String(consumerPort) };
  await using producers = await startProducers(cluster.env);
  using credentials = newCredentials();
  const keys = ["acme", "bank"].map(newApiKey);
  const env = {
    LB_API_KEYS: credentials.write("keys", keys.map(({ line }) => line).join("")),
    LB_POLICY: credentials.write("policy", "acme shared\nbank shared\n"),
  };
  await using balancer = await startBalancer({ producers: producers.ports, consumers: [consumerPort], env });
  const [acme, bank] = keys.map(({ key }) => (path: string, init: RequestInit = {}) => {
    const headers = { authorization: `Bearer ${key}`, ...(init.headers as Record<string, string>) };
    return fetch(new URL(path, `http://127.0.0.1:${balancer.port}`), { ...init, headers });
  }) as [typeof fetch, typeof fetch];
  const post = (as: typeof fetch, customer: string) =>
    as("/orders", {
      method: "POST",
      headers: { ...jsonBody, "idempotency-key": "po-7" },
      body: JSON.stringify({ ...sampleOrder(), customer }),
    });

  const answers = await Promise.all([post(acme, "shared"), post(bank, "shared"), post(bank, "acme")]);
  expect(answers.map(({ status }) => status)).toEqual([202, 202, 403]);
  expect(await cluster.read("orders")).toHaveLength(2);
  const [own = "", others = ""] = answers.map(({ headers }) => headers.get("location") ?? "");

  await using consumer = startTier("consumer", { ...cluster.env, ...ledger });
  await consumer.ready();
  await until(
    "its own is handled",
    async () => ((await (await acme(own)).json()) as { status: string }).status === "handled",
  );
  const prefer = { headers: { prefer: "wait=20" } };
  for (const init of [{}, prefer]) {
    expect((await bank(own, init)).status).toBe(404);
    expect((await acme(others, init)).status).toBe(404);
  }
  expect(await (await bank(others, prefer)).json()).toMatchObject({ status: "handled", deliveries: 1 });
  rmSync(folder, { recursive: true });
}, 120_000);

test("an order that was accepted is found handled, a repeated one is the same", async () => {
  using cluster = startCluster();
  const folder = mkdtempSync(join(tmpdir(), "coffee-orders-ledger-"));
  const consumerPort = fixedPort();
  const ledger = { LEDGER_URL: `sqlite:${join(folder, "ledger.sqlite")}`, HTTP_PORT: String(consumerPort) };
  await using consumer = startTier("consumer", { ...cluster.env, ...ledger });
  await using producers = await startProducers(cluster.env);
  await consumer.ready();
  await using balancer = await startBalancer({ producers: producers.ports, consumers: [consumerPort] });
  const base = `http://127.0.0.1:${balancer.port}`;
  const post = (key: string) =>
    fetch(`${base}/orders`, {
      method: "POST",
      headers: { ...jsonBody, "idempotency-key": key },
      body: JSON.stringify(sampleOrder()),
    });

  const [answer, again] = await Promise.all([post("breakfast"), post("breakfast")]);
  expect([answer.status, again.status]).toEqual([202, 202]);
  const accepted = (await answer.json()) as { id: string };
  // Joined to the first at the producer to which its key led both.
  expect(await again.json()).toEqual(accepted);
  expect(await cluster.read("orders")).toHaveLength(1);

  const found = await until("the order is handled", async () => {
    const view = await fetch(new URL(answer.headers.get("location") ?? "", base));
    expect([200, 404]).toContain(view.status);
    expect(view.headers.get("content-type")).toMatch(
      view.ok ? /^application\/json/ : /^application\/problem\+json/,
    );
    const told = view.ok ? ((await view.json()) as { status: string }) : undefined;
    // Until then it is told as accepted, or as waiting.
    return told?.status === "handled" ? told : undefined;
  });
  expect(found).toMatchObject({ id: accepted.id, deliveries: 1 });
  expect((await fetch(`${base}/openapi.json`)).status).toBe(200);

  // Its page is the operators' alone, and whole.
  for (const [path, type] of Object.entries({
    "/api": "text/html",
    "/api/swagger-ui.css": "text/css",
    "/api/swagger-ui-bundle.js": "text/javascript",
  })) {
    expect((await fetch(base + path)).status).toBe(404);
    const page = await fetch(`http://127.0.0.1:${balancer.operatorsPort}${path}`);
    expect([page.status, page.headers.get("content-type")]).toEqual([200, expect.stringContaining(type)]);
    expect((await page.bytes()).length).toBe(Number(page.headers.get("content-length")));
  }
  rmSync(folder, { recursive: true });
});
