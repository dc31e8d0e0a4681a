/** When an order counts as accepted, and when not: brokers that are slow, silent, gone, or at odds with the client. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { until } from "../../kit/until.ts";
import { startIntake, type TestIntake } from "../../testing/intake.ts";
import { type OrdersCluster, partitionCount, startOrdersCluster } from "../../testing/kafka.ts";
import { partyOf } from "../order.ts";
import type { OutcomeError } from "../outcomes.ts";
import { anOrder, longer, sampleOrder } from "../sample.ts";
import { orderId } from "../wire/order-id.ts";

setDefaultTimeout(120_000);

const produce = 0;
const initProducerId = 22;
const silenceMs = 600_000;

const slow = (cluster: OrdersCluster, rttMs: number) =>
  cluster.eachBroker((id) => cluster.setBrokerRttMs(id, rttMs));
const down = (cluster: OrdersCluster) => cluster.eachBroker((id) => cluster.brokerDown(id));
const up = (cluster: OrdersCluster) => cluster.eachBroker((id) => cluster.brokerUp(id));
const problemOf = async (answer: Response) => {
  const { type, fate } = (await answer.json()) as { type: string; fate: string };
  return { status: answer.status, outcome: type.split(":").at(-1), fate };
};
const alone = (leftMs: number) => {
  return {
    kind: "single",
    principal: undefined,
    trace: undefined,
    sentBefore: false,
    deadlineMs: performance.now() + leftMs,
  } as const;
};
/** Waits until as many orders are under way as may be. */
const full = ({ intake }: TestIntake) =>
  until("the orders are under way", () => intake.obstacle("single")?.outcome === "overloaded");

describe.concurrent("202 comes with the delivery report and not before", () => {
  test("however long the brokers take", async () => {
    using cluster = startOrdersCluster();
    await using intake = startIntake(cluster.env);
    await intake.ready();
    await intake.post(anOrder);
    slow(cluster, 700);
    const sinceMs = performance.now();
    const answer = await intake.post(anOrder);
    expect(answer.status).toBe(202);
    expect(performance.now() - sinceMs).toBeGreaterThan(690);
  });

  test("the next order waits for it too, and not for the window", async () => {
    using cluster = startOrdersCluster();
    await using intake = startIntake({ ...cluster.env, BATCH_WINDOW_MS: "1000" });
    await intake.ready();
    let answered = 0;
    const answers = async () => (await intake.post(anOrder)).status === 202 && ++answered === 100;
    // As many windows take longer than it is waited.
    await until("many orders are answered, one after another", answers);
  });

  test("when it does not come in time, the order's fate is unknown", async () => {
    using cluster = startOrdersCluster();
    await using intake = startIntake({ ...cluster.env, DELIVERY_TIMEOUT_MS: "1000" });
    await intake.ready();
    slow(cluster, silenceMs);
    const sinceMs = performance.now();
    const answer = await intake.post(anOrder, { "idempotency-key": "unknown" });
    // With its id, for what became of it can be asked.
    expect(await answer.clone().json()).toMatchObject({ id: orderId(partyOf(anOrder), "unknown") });
    expect(await problemOf(answer)).toEqual({ status: 504, outcome: "delivery_unknown", fate: "unknown" });
    expect(answer.headers.get("retry-after")).toMatch(/^\d+$/);
    expect(performance.now() - sinceMs).toBeWithin(990, 19_000);
  });

  test("when every broker dies with the order under way, its fate is unknown; the next is refused", async () => {
    using cluster = startOrdersCluster();
    await using intake = startIntake({
      ...cluster.env,
      DELIVERY_TIMEOUT_MS: "8000",
      MAX_IN_FLIGHT_ORDERS: "1",
    });
    await intake.ready();
    slow(cluster, silenceMs);
    const underWay = intake.post(anOrder);
    await full(intake);
    down(cluster);
    await until("it knows that no broker is there", async () => !(await intake.request("/readyz")).ok);
    const next = await intake.post(anOrder);
    expect(await problemOf(next)).toEqual({ status: 503, outcome: "no_brokers", fate: "refused" });
    expect(next.headers.get("retry-after")).toMatch(/^\d+$/);
    expect(await problemOf(await underWay)).toMatchObject({ status: 504, fate: "unknown" });

    slow(cluster, 0);
    up(cluster);
    await intake.ready();
    expect((await intake.post(anOrder)).status).toBe(202);
  });
});

describe.concurrent("brokers that have too few replicas in sync", () => {
  const notEnoughReplicas = 19;
  const refuse = (cluster: OrdersCluster, times: number) =>
    cluster.pushRequestErrors(
      produce,
      Array.from({ length: times }, () => notEnoughReplicas),
    );

  test("for a moment: the order is sent again until they have it", async () => {
    using cluster = startOrdersCluster();
    await using intake = startIntake(cluster.env);
    await intake.ready();
    refuse(cluster, 3);
    expect((await intake.post(anOrder)).status).toBe(202);
    expect(await cluster.read("orders")).toHaveLength(1);
  });

  test("for longer than an order may take: none is falsely accepted, and it resumes by itself", async () => {
    using cluster = startOrdersCluster();
    await using intake = startIntake({ ...cluster.env, DELIVERY_TIMEOUT_MS: "1000" });
    await intake.ready();
    refuse(cluster, 1_000);
    expect(await problemOf(await intake.post(anOrder))).toMatchObject({ status: 504, fate: "unknown" });
    expect(await cluster.read("orders")).toEqual([]);
    cluster.clearRequestErrors(produce);
    // A busy machine may take longer than the second that an order has here.
    await until("orders are taken again", async () => (await intake.post(anOrder)).status === 202);
  });
});

describe.concurrent("brokers that do not know the topic, as when all have just started", () => {
  const unknownTopic = 3;
  const refused = { status: 503, outcome: "not_ready", fate: "refused" };
  const unready = ({ intake }: TestIntake) =>
    until("the topic is unknown", () => intake.obstacle("single")?.outcome === "not_ready");

  test("get no order, and orders again within seconds of their knowing it", async () => {
    using cluster = startOrdersCluster();
    await using intake = startIntake(cluster.env);
    await intake.ready();
    expect((await intake.post(anOrder)).status).toBe(202);
    cluster.setTopicError("orders", unknownTopic);
    await unready(intake);
    expect(await problemOf(await intake.post(anOrder))).toEqual(refused);
    expect((await intake.request("/readyz")).status).toBe(503);
    cluster.setTopicError("orders", 0);
    await until("orders are accepted", async () => (await intake.post(anOrder)).status === 202);
  });

  test("an order that Kafka's client does not take for that reason is refused", async () => {
    using cluster = startOrdersCluster();
    await using intake = startIntake(cluster.env);
    await intake.ready();
    // The client may know sooner than we do, from a broker that was sent an order; else it is tried again.
    const answer = await until("the client takes no order", async () => {
      cluster.setTopicError("orders", 0);
      await until("orders are accepted", async () => (await intake.post(anOrder)).status === 202);
      cluster.setTopicError("orders", unknownTopic);
      cluster.pushRequestErrors(produce, [unknownTopic]);
      await intake.post(anOrder);
      const next = await intake.post(anOrder);
      const { detail = "" } = (await next.clone().json()) as { detail?: string };
      return detail.includes("takes no order") ? next : undefined;
    });
    expect(await problemOf(answer)).toEqual(refused);
    cluster.setTopicError("orders", 0);
    await until("it takes them again", async () => (await intake.post(anOrder)).status === 202);
  });
});

// Beside no other: so many megabytes take the process seconds, in which an order's time may be over unseen.
test("when Kafka's client can queue no more, the rest is refused, and what it had is unknown", async () => {
  using cluster = startOrdersCluster();
  await using intake = startIntake({
    ...cluster.env,
    // Above the client's own bound of 128 MB, which orders that are validated never reach.
    MAX_IN_FLIGHT_BYTES: "1000000000",
    MAX_BODY_BYTES: "1048576",
    DELIVERY_TIMEOUT_MS: "1000",
  });
  await intake.ready();
  down(cluster);
  const megabyte = { ...anOrder, note: "x".repeat(1_048_576) };
  const submitted = Array.from({ length: 140 }, (_, n) =>
    intake.intake.submit(megabyte, { key: `${n}`, ...alone(60_000) }).then(
      () => "accepted",
      ({ outcome }: OutcomeError) => outcome,
    ),
  );
  const outcomes = Object.groupBy(await Promise.all(submitted), (outcome) => outcome);
  expect(Object.keys(outcomes).sort()).toEqual(["delivery_unknown", "queue_full"]);
  expect(outcomes.queue_full?.length).toBeWithin(12, 20);
  up(cluster);
  await until("orders are accepted again", async () => (await intake.post(anOrder)).status === 202);
});

test.concurrent("an order whose record the topic need not take is refused for its length, and never sent", async () => {
  using cluster = startOrdersCluster();
  await using intake = startIntake(cluster.env);
  await intake.ready();
  const megabyte = { ...anOrder, note: "x".repeat(1_048_576) };
  await expect(intake.intake.submit(megabyte, { key: "k", ...alone(60_000) })).rejects.toMatchObject({
    outcome: "body_too_large",
  });
  expect(await cluster.read("orders")).toEqual([]);
});

test.concurrent("it tells what it knows of Kafka: brokers, orders under way, the queue", async () => {
  using cluster = startOrdersCluster();
  await using intake = startIntake(cluster.env);
  await intake.ready();
  const is = (name: string, least: number) => until(name, async () => (await intake.metric(name)) >= least);
  slow(cluster, silenceMs);
  const underWay = intake.post(anOrder);
  await Promise.all([
    is("kafka_brokers_up", 1),
    is("orders_in_flight", 1),
    is("orders_in_flight_bytes", 100),
    is("kafka_producer_queue_records", 1),
  ]);
  slow(cluster, 0);
  down(cluster);
  up(cluster);
  expect((await underWay).status).toBe(202);
});

describe.concurrent("a repeated request", () => {
  const key = { "idempotency-key": "again" };

  test("what is remembered is its record, and nothing of the document that it came in", async () => {
    using cluster = startOrdersCluster();
    await using intake = startIntake(cluster.env);
    await intake.ready();
    const place = async (n: number) => {
      const order = sampleOrder(n);
      await intake.intake.submit(order, { ...alone(60_000), key: `k${n}` });
      return new WeakRef(order);
    };
    const orders = await Promise.all(Array.from({ length: 100 }, (_, n) => place(n)));
    // But for one or two that the stack may still show.
    await until("they are gone", () => {
      Bun.gc(true);
      return orders.filter((order) => order.deref()).length < 10;
    });
    const again = await intake.intake.submit(sampleOrder(1), { ...alone(60_000), key: "k1" });
    expect(again.id).toBe(orderId(partyOf(sampleOrder(1)), "k1"));
    expect(await intake.metric("orders_repeated_total")).toBe(1);
  });

  test("joins the one that is under way, and is answered from memory later: one record", async () => {
    using cluster = startOrdersCluster();
    await using intake = startIntake(cluster.env);
    await intake.ready();
    slow(cluster, 300);
    const answers = await Promise.all([1, 2, 3].map(() => intake.post(anOrder, key)));
    slow(cluster, 0);
    answers.push(await intake.post(anOrder, key));
    const bodies = await Promise.all(answers.map((answer) => answer.text()));
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202]);
    expect(new Set(bodies).size).toBe(1);
    expect(await intake.metric("orders_repeated_total")).toBe(3);
    expect(await cluster.read("orders")).toHaveLength(1);
  });

  test("with another order is refused while the first is under way too", async () => {
    using cluster = startOrdersCluster();
    await using intake = startIntake(cluster.env);
    await intake.ready();
    slow(cluster, 300);
    const first = intake.post(anOrder, key);
    const other = await intake.post(longer(anOrder), key);
    expect(await problemOf(other)).toEqual({ status: 422, outcome: "key_reused", fate: "refused" });
    expect((await first).status).toBe(202);
  });

  test("after an unknown end is a new try under the same id", async () => {
    using cluster = startOrdersCluster();
    await using intake = startIntake({ ...cluster.env, DELIVERY_TIMEOUT_MS: "1000" });
    await intake.ready();
    slow(cluster, silenceMs);
    expect((await intake.post(anOrder, key)).status).toBe(504);
    // The connections still owe their answers: they are made anew, as after a broker's return.
    slow(cluster, 0);
    down(cluster);
    up(cluster);
    await until("the order is accepted", async () => (await intake.post(anOrder, key)).status === 202);
    const keys = (await cluster.read("orders")).map((record) => String(record.key));
    expect(new Set(keys).size).toBe(1);
  });
});

test.concurrent("no more is taken than its bound; what is over it is refused at once, and a repetition still joins", async () => {
  using cluster = startOrdersCluster();
  await using intake = startIntake({ ...cluster.env, MAX_IN_FLIGHT_ORDERS: "3" });
  await intake.ready();
  slow(cluster, 2_000);
  const taken = [1, 2, 3].map((n) => intake.post(anOrder, { "idempotency-key": `${n}` }));
  await full(intake);
  const shed = await intake.post(anOrder);
  expect(await problemOf(shed)).toEqual({ status: 503, outcome: "overloaded", fate: "refused" });
  // It sheds, but it is not sick: its share of the load would only fall on the others.
  expect((await intake.request("/readyz")).status).toBe(200);
  for (const answer of await Promise.all(taken)) expect(answer.status).toBe(202);
  slow(cluster, 0);
  expect(await cluster.read("orders")).toHaveLength(3);
  expect((await intake.post(anOrder)).status).toBe(202);
});

test.concurrent("bytes under way are bounded too", async () => {
  using cluster = startOrdersCluster();
  await using intake = startIntake({ ...cluster.env, MAX_IN_FLIGHT_BYTES: "2097152" });
  await intake.ready();
  slow(cluster, 500);
  const large = { ...anOrder, note: "x".repeat(300_000) };
  const submit = async (n: number) => intake.intake.submit(large, { key: `${n}`, ...alone(60_000) });
  const taken = await Promise.allSettled(Array.from({ length: 20 }, (_, n) => submit(n)));
  expect(taken.map(({ status }) => status)).toEqual([
    ...Array.from({ length: 7 }, () => "fulfilled" as const),
    ...Array.from({ length: 13 }, () => "rejected" as const),
  ]);
});

describe.concurrent("an order is answered by its deadline, and then its fate is unknown", () => {
  const unknown = { status: 504, outcome: "delivery_unknown", fate: "unknown" };

  test("whatever was sent once more meanwhile: its copy has no time of its own", async () => {
    using cluster = startOrdersCluster();
    const deliveryMs = 4_000;
    await using intake = startIntake({ ...cluster.env, DELIVERY_TIMEOUT_MS: String(deliveryMs) });
    await intake.ready();
    // One broker is prompt, so that what waits for another is sent once more, and then none answers any more.
    cluster.setBrokerRttMs(1, 60_000);
    let lagMs = 0;
    let tickMs = performance.now();
    const ticks = setInterval(() => {
      lagMs = Math.max(lagMs, performance.now() - tickMs);
      tickMs = performance.now();
    }, 10);
    const waiting: Promise<{ answer: Response; tookMs: number }>[] = [];
    const post = async () => {
      const startedMs = performance.now();
      const answer = await intake.post(anOrder);
      return { answer, tookMs: performance.now() - startedMs };
    };
    await until("some are sent once more", async () => {
      waiting.push(post());
      return (await intake.metric("orders_republished_total")) > 0;
    });
    slow(cluster, 60_000);
    waiting.push(post());
    const all = await Promise.all(waiting);
    clearInterval(ticks);
    for (const { answer } of all) if (answer.status !== 202) expect(await problemOf(answer)).toEqual(unknown);
    const late = all.filter(({ answer }) => answer.status === 504);
    expect(late.length).toBeGreaterThan(0);
    // A copy's own time limit begins a second later at least. Where this process did not run, nobody could be answered.
    for (const { tookMs } of late) expect(tookMs).toBeWithin(deliveryMs, deliveryMs + 800 + lagMs);
  });

  test("that the balancer set, for a single order and for a batch", async () => {
    using cluster = startOrdersCluster();
    await using intake = startIntake({ ...cluster.env, DELIVERY_TIMEOUT_MS: "60000" });
    await intake.ready();
    slow(cluster, 5_000);
    const by = { "answer-by": String(Date.now() + 2_000) };
    const [single, batch] = await Promise.all([
      intake.post(anOrder, by),
      intake.post([anOrder, sampleOrder(0, "c43")], by, "/orders/batch"),
    ]);
    expect(await problemOf(single)).toEqual(unknown);
    expect([batch.status, batch.headers.get("order-fate")]).toEqual([207, "unknown"]);
    // Nothing is left of them here, but for the client's own time limit.
    await until("none is under way", async () => (await intake.metric("orders_in_flight")) === 0);
  });

  test("while the producer drains too", async () => {
    using cluster = startOrdersCluster();
    await using intake = startIntake({ ...cluster.env, MAX_IN_FLIGHT_ORDERS: "1" });
    await intake.ready();
    // So that each broker is connected.
    for (let n = 0; n < 3; n += 1) await intake.post(anOrder);
    slow(cluster, 4_000);
    const answer = intake.post(anOrder, { "answer-by": String(Date.now()) });
    await full(intake);
    const drained = intake.intake.drain();
    // Without its deadline it would be accepted 4 s later, when whoever asked has gone.
    expect(await problemOf(await answer)).toEqual(unknown);
    await drained;
  });

  test("what is acknowledged later is remembered: sent again, it is answered as it was", async () => {
    using cluster = startOrdersCluster();
    await using intake = startIntake(cluster.env);
    await intake.ready();
    slow(cluster, 2_000);
    const key = { "idempotency-key": "late" };
    const first = await intake.post(anOrder, { ...key, "answer-by": String(Date.now()) });
    expect(await problemOf(first)).toEqual(unknown);
    slow(cluster, 0);
    await until(
      "it is acknowledged",
      async () =>
        (await intake.metric("orders_repeated_total")) > 0 ||
        (await intake.post(anOrder, key)).status === 202,
    );
    await until("from memory", async () => {
      const { status } = await intake.post(anOrder, key);
      return status === 202 && (await intake.metric("orders_repeated_total")) > 0;
    });
  });
});

describe.concurrent("batches have half of the room", () => {
  const batch = (orders: number, n = 0) =>
    Array.from({ length: orders }, (_, m) => sampleOrder(0, `c${n}-${m}`));

  test.each([
    { rest: "refused", fate: "mixed", status: 503, headers: {} },
    // An earlier try may have written what is refused now.
    {
      rest: "unknown where it was sent on before",
      fate: "unknown",
      status: 504,
      headers: { "sent-before": "1" },
    },
  ])(
    "of the orders: the rest of a batch is $rest, and single orders are taken",
    async ({ fate, status: rest, headers }) => {
      using cluster = startOrdersCluster();
      await using intake = startIntake({ ...cluster.env, MAX_IN_FLIGHT_ORDERS: "100" });
      await intake.ready();
      slow(cluster, 1_000);
      const many = intake.post(batch(80), headers, "/orders/batch");
      await until("the batch is under way", () => intake.intake.obstacle("batch")?.outcome === "overloaded");
      const singles = await Promise.all(Array.from({ length: 50 }, () => intake.post(anOrder)));
      expect(singles.map(({ status }) => status)).toEqual(singles.map(() => 202));
      const answer = await many;
      expect(answer.headers.get("order-fate")).toBe(fate);
      const { outcomes } = (await answer.json()) as { outcomes: { status: number }[] };
      expect(outcomes.map(({ status }) => status)).toEqual(
        Array.from({ length: 80 }, (_, n) => (n < 50 ? 202 : rest)),
      );
    },
  );

  test("of the bytes, before a body is there: an order of any length is taken beside them", async () => {
    using cluster = startOrdersCluster();
    await using intake = startIntake({ ...cluster.env, MAX_IN_FLIGHT_BYTES: "2097152" });
    await intake.ready();
    const gate = Promise.withResolvers<void>();
    const unfinished = (n: number) => {
      const text = JSON.stringify(batch(1, n));
      const body = new ReadableStream({
        async start(controller) {
          await gate.promise;
          controller.enqueue(new TextEncoder().encode(text));
          controller.close();
        },
      });
      return intake.request("/orders/batch", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
      });
    };
    const first = unfinished(1);
    await until("the first has its room", () => intake.intake.obstacle("batch", 1) !== undefined);
    expect((await unfinished(2)).status).toBe(503);
    expect((await intake.post(anOrder)).status).toBe(202);
    gate.resolve();
    expect((await first).status).toBe(207);
    expect((await unfinished(3)).status).toBe(207);
  });
});

// Beside no other: it takes the process a while's whole attention.
test("when ever more wait too long no more is taken than comes through, until some are quick again", async () => {
  using cluster = startOrdersCluster();
  // No other bound is reached.
  const bounds = { MAX_IN_FLIGHT_ORDERS: "1000000", MAX_IN_FLIGHT_BYTES: "1000000000" };
  await using intake = startIntake({ ...cluster.env, ...bounds, OVERLOAD_AFTER_MS: "500" });
  await intake.ready();
  const others: unknown[] = [];
  const answers: Promise<void>[] = [];
  const post = async () => {
    const answer = await intake.post(anOrder);
    if (answer.status !== 202) others.push(await problemOf(answer));
  };
  await post();
  slow(cluster, 1_500);
  for (let atOnce = 1; others.length === 0 && atOnce < 100; atOnce += 1) {
    for (let n = 0; n < atOnce; n += 1) answers.push(post());
    await Bun.sleep(50);
  }
  await until("it is told", async () => (await intake.metric("orders_in_flight_limit")) < 1_000_000);
  slow(cluster, 0);
  await Promise.all(answers);
  expect(others).not.toEqual([]);
  for (const other of others) expect(other).toEqual({ status: 503, outcome: "overloaded", fate: "refused" });
  expect(await intake.metric("orders_shed_total")).toBe(others.length);
  await until("more are taken at once than any limit leaves room for", async () => {
    const all = await Promise.all(Array.from({ length: 500 }, () => intake.post(anOrder)));
    return all.every(({ status }) => status === 202);
  });
});

test("who is refused before the body is read, when the customer is not known, is counted too", async () => {
  using cluster = startOrdersCluster();
  const env = { ...cluster.env, MAX_IN_FLIGHT_ORDERS: "1", DELIVERY_TIMEOUT_MS: "5000" };
  await using intake = startIntake({ ...env, PARTITIONER: "customer" });
  await intake.ready();
  slow(cluster, silenceMs);
  const taken = intake.post(anOrder);
  await full(intake);
  const before = await intake.metric("orders_shed_total");
  expect((await intake.post(anOrder)).status).toBe(503);
  expect(await intake.metric("orders_shed_total")).toBe(before + 1);
  await taken;
});

test("where the customer decides on the partition, one that is overloaded takes no other's place", async () => {
  using cluster = startOrdersCluster();
  const env = { ...cluster.env, MAX_IN_FLIGHT_ORDERS: "1000000", MAX_IN_FLIGHT_BYTES: "1000000000" };
  await using intake = startIntake({ ...env, PARTITIONER: "customer", OVERLOAD_AFTER_MS: "500" });
  await intake.ready();
  cluster.setBrokerRttMs(1, 1_500); // leads every third partition
  const waitMs = async (customer: string) => {
    const sinceMs = performance.now();
    expect((await intake.post(sampleOrder(0, customer))).status).toBe(202);
    return { customer, waitedMs: performance.now() - sinceMs };
  };
  const waits = await Promise.all(Array.from({ length: 12 }, (_, n) => waitMs(`c${n}`)));
  const bySpeed = waits.sort((one, other) => one.waitedMs - other.waitedMs).map(({ customer }) => customer);
  const [quick, slowest] = [bySpeed[0], bySpeed.at(-1)] as [string, string];

  const refused: unknown[] = [];
  const answers: Promise<void>[] = [];
  const post = async (customer: string, answered: (answer: Response) => unknown) => {
    await answered(await intake.post(sampleOrder(0, customer)));
  };
  for (let atOnce = 1; refused.length === 0 && atOnce < 300; atOnce += 1) {
    for (let n = 0; n < atOnce; n += 1)
      answers.push(post(slowest, async (answer) => answer.ok || refused.push(await problemOf(answer))));
    answers.push(post(quick, ({ status }) => expect(status).toBe(202)));
    await Bun.sleep(50);
  }
  cluster.setBrokerRttMs(1, 0);
  await Promise.all(answers);
  expect(refused[0]).toEqual({ status: 503, outcome: "overloaded", fate: "refused" });
});

describe.concurrent("one broker dies", () => {
  test("orders go to the partitions of the others, also those that were on their way to it", async () => {
    using cluster = startOrdersCluster();
    await using intake = startIntake(cluster.env);
    await intake.ready();
    cluster.brokerDown(1); // leads every third partition, and keeps leading
    let slowestMs = 0;
    const post = async () => {
      const sinceMs = performance.now();
      expect((await intake.post(anOrder)).status).toBe(202);
      slowestMs = Math.max(slowestMs, performance.now() - sinceMs);
    };
    // As clients do, they go on while some wait.
    const posted: Promise<void>[] = [];
    await until("orders met the dead broker, and were sent once more", async () => {
      posted.push(post());
      return slowestMs > 1_000;
    });
    await until("all are acknowledged", async () => {
      const waiting = Promise.all(posted).then(() => true);
      posted.push(post());
      return Promise.race([waiting, Bun.sleep(10)]);
    });
    expect(await intake.metric("orders_republished_total")).toBeGreaterThan(0);
    cluster.brokerUp(1);
    // The first copies arrive late: doubled on the topic, under the same ids.
    const ids = (await cluster.read("orders")).map(({ key }) => String(key));
    expect(new Set(ids).size).toBe(posted.length);
  });

  test("where order matters nothing is sent twice: the customers of its partitions wait", async () => {
    using cluster = startOrdersCluster();
    await using intake = startIntake({
      ...cluster.env,
      PARTITIONER: "customer",
      DELIVERY_TIMEOUT_MS: "2500",
    });
    await intake.ready();
    cluster.brokerDown(1);
    const order = (n: number) => intake.post(sampleOrder(0, `c${n % 30}`));
    const posted: Promise<Response>[] = Array.from({ length: 30 }, (_, n) => order(n));
    const first = Promise.all(posted);
    await until("all have their answer, while others go on", () => {
      posted.push(order(posted.length));
      return Promise.race([first.then(() => true), Bun.sleep(10)]);
    });
    const statuses = (await first).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([202, 504]));
    expect(await intake.metric("orders_republished_total")).toBe(0);
  });
});

describe.concurrent("sending once more", () => {
  /** Sends so many orders together, again and again, until none of them is answered: nothing proves them stuck. */
  const stuckOrders = (intake: TestIntake, count: number) =>
    until("orders are at the broker that does not answer", async () => {
      const posted = Array.from({ length: count }, () => intake.post(anOrder));
      return (await answeredWithin(Promise.any(posted), 1_500)) ? undefined : posted;
    });
  /** Sends orders until one is acknowledged promptly: the proof that a partition works. */
  const proof = (intake: TestIntake) =>
    until("an order is acknowledged promptly", () => answeredWithin(intake.post(anOrder), 250));
  const answeredWithin = (posted: Promise<unknown>, ms: number) =>
    Promise.race([posted.then(() => true), Bun.sleep(ms).then(() => false)]);
  const republished = (intake: TestIntake) => intake.metric("orders_republished_total");

  test("needs no traffic: one order that was sent later and acknowledged promptly is proof enough", async () => {
    using cluster = startOrdersCluster();
    await using intake = startIntake(cluster.env);
    await intake.ready();
    cluster.setBrokerRttMs(1, silenceMs);
    const stuck = await stuckOrders(intake, 1);
    expect(await republished(intake)).toBe(0);
    await proof(intake);
    // Nothing else is sent.
    expect((await stuck[0])?.status).toBe(202);
    expect(await republished(intake)).toBeGreaterThan(0);
    cluster.setBrokerRttMs(1, 0);
    cluster.brokerDown(1);
    cluster.brokerUp(1);
  });

  test("at 5 orders a second no client waits for a broker that is silent", async () => {
    using cluster = startOrdersCluster();
    await using intake = startIntake(cluster.env);
    await intake.ready();
    cluster.setBrokerRttMs(2, silenceMs);
    const posted: Promise<Response>[] = [];
    let slowestMs = 0;
    for (let n = 0; n < 15; n += 1) {
      const sinceMs = performance.now();
      const answer = intake.post(anOrder);
      posted.push(answer);
      void answer.then(() => {
        slowestMs = Math.max(slowestMs, performance.now() - sinceMs);
      });
      await Bun.sleep(200);
    }
    for (const answer of await Promise.all(posted)) expect(answer.status).toBe(202);
    // Far below the order's own time limit.
    expect(slowestMs).toBeWithin(1_000, 8_000);
    expect(await republished(intake)).toBeGreaterThan(0);
    cluster.setBrokerRttMs(2, 0);
    cluster.brokerDown(2);
    cluster.brokerUp(2);
  });

  test("never happens when all are slow, however promptly they were before", async () => {
    using cluster = startOrdersCluster();
    await using intake = startIntake(cluster.env);
    await intake.ready();
    expect((await intake.post(anOrder)).status).toBe(202);
    slow(cluster, 1_500);
    const posted: Promise<Response>[] = [];
    for (let n = 0; n < 15; n += 1) {
      posted.push(intake.post(anOrder));
      await Bun.sleep(200);
    }
    for (const answer of await Promise.all(posted)) expect(answer.status).toBe(202);
    expect(await republished(intake)).toBe(0);
    slow(cluster, 0);
    expect(await cluster.read("orders")).toHaveLength(16);
  });

  test("is bounded to a quarter of what may be under way, and the rest waits for its first copy", async () => {
    using cluster = startOrdersCluster();
    await using intake = startIntake({ ...cluster.env, MAX_IN_FLIGHT_ORDERS: "40" });
    await intake.ready();
    cluster.brokerDown(1);
    const posted = await stuckOrders(intake, 12);
    await proof(intake);
    let accepted = 0;
    for (const answer of posted) void answer.then(({ status }) => (accepted += status === 202 ? 1 : 0));
    await until("as many as may be sent once more are acknowledged", () => accepted >= 10);
    // Another look at the orders that wait would have been taken by now.
    expect(await answeredWithin(Promise.all(posted), 400)).toBe(false);
    expect([accepted, await republished(intake)]).toEqual([10, 10]);
    cluster.brokerUp(1);
    for (const answer of await Promise.all(posted)) expect(answer.status).toBe(202);

    // What has come to its end makes room for others.
    cluster.brokerDown(2);
    const [later] = await stuckOrders(intake, 1);
    await proof(intake);
    expect((await later)?.status).toBe(202);
    cluster.brokerUp(2);
  });

  test("does not count what a client had that was replaced, and no partition is passed over for that", async () => {
    using cluster = startOrdersCluster();
    await using intake = startIntake({ ...cluster.env, MAX_IN_FLIGHT_ORDERS: "40" });
    await intake.ready();
    // So that each broker is connected: what is only queued has its reports when the client fails.
    for (let n = 0; n < partitionCount; n += 1) await intake.post(anOrder);
    cluster.setBrokerRttMs(1, silenceMs);
    await stuckOrders(intake, 12);
    await proof(intake);
    await until("no more may be sent once more", async () => (await republished(intake)) === 10);
    const outOfOrderSequence = 45;
    cluster.pushRequestErrors(produce, [outOfOrderSequence]);
    await until(
      "the client is replaced",
      async () =>
        (await intake.post(anOrder)).status === 503 &&
        (await intake.metric("kafka_producer_replaced_total")) === 1,
    );
    await intake.ready();

    const [stuck] = await stuckOrders(intake, 1);
    await proof(intake);
    expect((await stuck)?.status).toBe(202);
    expect(await republished(intake)).toBeGreaterThan(10);
    cluster.setBrokerRttMs(1, 0);
    cluster.brokerDown(1);
    cluster.brokerUp(1);
    const used = new Set<unknown>();
    await until("every partition has orders", async () => {
      used.add(((await (await intake.post(anOrder)).json()) as { partition: number }).partition);
      return used.size === partitionCount;
    });
  });
});

describe.concurrent("after a fatal error the client is replaced without a restart", () => {
  const replaced = (intake: TestIntake) => intake.metric("kafka_producer_replaced_total");
  /** The error is known only when the next order is sent. */
  const fatal = (intake: TestIntake, customer = "c42") =>
    until("an order meets the fatal error", async () => {
      const answer = await intake.post(sampleOrder(0, customer));
      return answer.status === 503 ? answer : undefined;
    });

  test("at its start", async () => {
    using cluster = startOrdersCluster();
    const clusterAuthorizationFailed = 31;
    cluster.pushRequestErrors(initProducerId, [clusterAuthorizationFailed]);
    await using intake = startIntake(cluster.env);
    await intake.ready();
    expect(await problemOf(await fatal(intake))).toMatchObject({ outcome: "not_ready", fate: "refused" });
    await until("orders are accepted again", async () => (await intake.post(anOrder)).status === 202);
    expect(await replaced(intake)).toBe(1);
  });

  test("with orders under way: their fate is unknown, and they are told so at once", async () => {
    using cluster = startOrdersCluster();
    await using intake = startIntake({ ...cluster.env, PARTITIONER: "customer" });
    await intake.ready();
    for (const id of [2, 3]) cluster.setBrokerRttMs(id, silenceMs);
    // Thirty customers have their orders on all partitions, of which broker 1 leads every third.
    const customers = Array.from({ length: 30 }, (_, n) => `c${n}`);
    const accepted: string[] = [];
    const underWay = customers.map(async (customer) => {
      const answer = await intake.post(sampleOrder(0, customer));
      if (answer.status === 202) accepted.push(customer);
      return answer;
    });
    await until("broker 1 has acknowledged its part", () => accepted.length > 5);

    const outOfOrderSequence = 45;
    cluster.pushRequestErrors(produce, [outOfOrderSequence]);
    const refused = await fatal(intake, accepted[0]);
    expect(await problemOf(refused)).toMatchObject({ outcome: "not_ready", fate: "refused" });
    const unknown = (await Promise.all(underWay)).filter(({ status }) => status !== 202);
    expect(unknown.length).toBeGreaterThan(10);
    for (const answer of unknown)
      expect(await problemOf(answer)).toEqual({ status: 504, outcome: "delivery_unknown", fate: "unknown" });

    for (const id of [2, 3]) cluster.setBrokerRttMs(id, 0);
    await intake.ready();
    expect((await intake.post(anOrder)).status).toBe(202);
    expect(await replaced(intake)).toBe(1);
  });
});
