// An order's whole way through the balancer: taken by a producer, told of by a consumer.
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../kit/until.ts";
import { sampleOrder } from "../src/sample.ts";
import { fixedPort, startBalancer } from "../testing/balancer.ts";
import { jsonBody } from "../testing/load.ts";
import { startTier } from "../testing/tier-process.ts";
import { startCluster } from "./testing/cluster.ts";
import { startProducers } from "./testing/producers.ts";

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
  rmSync(folder, { recursive: true });
});
