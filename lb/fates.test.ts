// What clients are told of orders is true of the topic, whatever becomes of the producer that had them first: real
// producers, killed and paused with orders and batches in their hands, and a survivor that has no room for them.
import { expect, test } from "bun:test";
import { until } from "../kit/until.ts";
import { sampleOrder } from "../src/sample.ts";
import { orderId, orderKey } from "../src/wire/order-id.ts";
import { startBalancer } from "../testing/balancer.ts";
import { connectHttp } from "../testing/http-connection.ts";
import { jsonBody } from "../testing/load.ts";
import { startCluster } from "./testing/cluster.ts";
import { startProducers } from "./testing/producers.ts";

type Outcome = { status: number; fate?: string; id?: string };

test("no order of a batch is refused that the producer before had written", async () => {
  using cluster = startCluster();
  // One keeps what it gets for long; the others take 5 orders of batches.
  await using producers = await startProducers({ ...cluster.env, MAX_IN_FLIGHT_ORDERS: "10" });
  await using balancer = await startBalancer({ producers: producers.ports });
  const orders = Array.from({ length: 20 }, (_, n) => ({ ...sampleOrder(n), customer: `c${n}` }));
  let replayed = 0;
  const told: { key: string; status: number; outcomes: Outcome[] }[] = [];

  for (const number of [1, 2, 3]) {
    cluster.slow(1_500);
    const before = Number((await balancer.row("batches", `producer${number}`)).stot);
    const sent = Array.from({ length: 12 }, async (_, n) => {
      const key = `${number}-${n}`;
      // From an address of its own each, or so many at once would be one too many.
      const connection = await connectHttp(balancer.port, `127.0.0.${n + 2}`);
      const { status, body } = await connection.request(
        "POST",
        "/orders/batch",
        { ...jsonBody, "idempotency-key": key },
        JSON.stringify(orders),
      );
      connection.close();
      told.push({ key, status, outcomes: (JSON.parse(body) as { outcomes?: Outcome[] }).outcomes ?? [] });
    });
    await until(
      "it has some",
      async () => Number((await balancer.row("batches", `producer${number}`)).stot) > before,
    );
    await until(
      "they are on the topic",
      async () => (await producers.number(number).metric("kafka_producer_queue_records")) > 0,
    );
    producers.number(number).signal("SIGKILL");
    await Promise.all(sent);
    cluster.slow(0);
    replayed += Number((await balancer.row("batches", "BACKEND")).wredis);
    await producers.number(number).exited;
    producers.restart(number);
    await producers.number(number).ready();
    await balancer.producerIs(number, "UP");
  }

  expect(replayed).toBeGreaterThan(0);
  const written = new Set((await cluster.read("orders")).map(({ key }) => String(key)));
  const idOf = (key: string, n: number) => orderId(`c${n}`, orderKey(key, n));
  for (const { key, status, outcomes } of told) {
    if (status === 503) expect(orders.filter((_, n) => written.has(idOf(key, n)))).toEqual([]);
    for (const [n, { status: one, fate, id }] of outcomes.entries()) {
      if (fate === "refused") expect([key, n, written.has(idOf(key, n))]).toEqual([key, n, false]);
      if (one === 202) expect([id, written.has(idOf(key, n))]).toEqual([idOf(key, n), true]);
    }
  }
  // There were some of each, or nothing was tested.
  expect(told.some(({ status }) => status === 502)).toBe(true);
  expect(told.some(({ outcomes }) => outcomes.some(({ fate }) => fate === "refused"))).toBe(true);
}, 120_000);

test("all producers hang: an order is answered within 30 s, and unknown", async () => {
  using cluster = startCluster();
  await using producers = await startProducers(cluster.env);
  await using balancer = await startBalancer({ producers: producers.ports });
  const post = async (path: string, body: object) => {
    const startedMs = performance.now();
    const connection = await connectHttp(balancer.port);
    const answer = await connection.request("POST", path, jsonBody, JSON.stringify(body));
    connection.close();
    return {
      status: answer.status,
      fate: JSON.parse(answer.body).fate,
      tookMs: performance.now() - startedMs,
    };
  };
  for (const n of [1, 2, 3]) producers.number(n).signal("SIGSTOP");
  try {
    const answers = await Promise.all([
      ...Array.from({ length: 20 }, () => post("/orders", sampleOrder())),
      ...Array.from({ length: 5 }, () => post("/orders/batch", [sampleOrder()])),
    ]);
    for (const { status, fate, tookMs } of answers) {
      expect([502, 504]).toContain(status);
      expect(fate).toBe("unknown");
      // And the time that a queue may take; a starved machine is told from four tries of 25 s.
      expect(tookMs).toBeLessThan(45_000);
    }
  } finally {
    for (const n of [1, 2, 3]) producers.number(n).signal("SIGCONT");
  }
}, 120_000);

test("a key in quotes meets the same without them: the second order is told that the key is taken, also in a batch", async () => {
  using cluster = startCluster();
  await using producers = await startProducers(cluster.env);
  await using balancer = await startBalancer({ producers: producers.ports });
  const post = async (key: string, quantity: number) => {
    const connection = await connectHttp(balancer.port);
    const order = JSON.stringify({ ...sampleOrder(), quantity });
    const { status } = await connection.request(
      "POST",
      "/orders",
      { ...jsonBody, "idempotency-key": key },
      order,
    );
    connection.close();
    return status;
  };
  for (let n = 0; n < 20; n += 1) {
    expect([n, await post(`k${n}`, 1), await post(`"k${n}"`, 1), await post(`"k${n}";p=1`, 2)]).toEqual([
      n,
      202,
      202,
      422,
    ]);
  }
  expect(await cluster.read("orders")).toHaveLength(20);
  const batch = async (key: string, quantity: number) => {
    const connection = await connectHttp(balancer.port);
    const orders = JSON.stringify([sampleOrder(1), { ...sampleOrder(2), quantity }]);
    const headers = { ...jsonBody, "idempotency-key": key };
    const { body } = await connection.request("POST", "/orders/batch", headers, orders);
    connection.close();
    // On a starved machine its place is taken for a while after its answer, and who has too many gets none of the next.
    await until("its place is free", async () => (await balancer.row("batches", "BACKEND")).scur === "0");
    return JSON.parse(body).outcomes.map(({ status }: Outcome) => status);
  };
  for (let n = 0; n < 10; n += 1)
    expect([await batch(`b${n}`, 1), await batch(`"b${n}"`, 2)]).toEqual([
      [202, 202],
      [202, 422],
    ]);
});
