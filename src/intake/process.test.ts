/** The producer as a process: what it does while Kafka is not what it should be, and how it ends. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { connect } from "node:net";
import { until } from "../../kit/until.ts";
import { type OrdersCluster, partitionCount, startOrdersCluster } from "../../testing/kafka.ts";
import { startTier, type TierProcess } from "../../testing/tier-process.ts";
import { anOrder } from "../sample.ts";

setDefaultTimeout(120_000);

const unknownTopic = 3;

const order = (tier: TierProcess) =>
  tier.fetch("/orders", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(anOrder),
  });

/** Waits until /readyz refuses with a reason that has these words in it. */
const unready = (tier: TierProcess, reason: string) =>
  until(`unready: ${reason}`, async () => {
    const answer = await tier.fetch("/readyz");
    return answer.status === 503 && (await answer.text()).includes(reason);
  });

/** What a server says to these bytes until it closes, or for as long as nothing more comes. */
async function said(tier: TierProcess, bytes: string): Promise<string> {
  const url = String(tier.log.find(({ msg }) => msg === "listening")?.url);
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  let text = "";
  socket.on("data", (part) => {
    text += part;
  });
  socket.write(bytes);
  await until("it has answered", () => text.includes("\r\n\r\n"));
  socket.destroy();
  return text;
}

describe("it speaks HTTP to whoever asks it directly", () => {
  let cluster: OrdersCluster;
  let tier: TierProcess;
  beforeAll(async () => {
    cluster = startOrdersCluster();
    tier = startTier("producer", cluster.env);
    await tier.ready();
  });
  afterAll(async () => {
    await tier[Symbol.asyncDispose]();
    cluster.close();
  });

  test("a bare check by HTTP/1.0 finds it ready", async () => {
    expect(await said(tier, "GET /readyz HTTP/1.0\r\n\r\n")).toMatch(/^HTTP\/1.1 200 .*ready\n$/s);
  });

  test("an order needs no Host in HTTP/1.0 either", async () => {
    const body = JSON.stringify(anOrder);
    const head = `POST /orders HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
    expect(await said(tier, head + body)).toStartWith("HTTP/1.1 202 ");
  });

  test.each(["/readyz", "/openapi.json"])("HEAD %s says what GET does, without the body", async (path) => {
    const head = await said(tier, `HEAD ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    const whole = await tier.fetch(path);
    const length = Buffer.byteLength(await whole.text());
    expect(head).toMatch(new RegExp(`^HTTP/1.1 200 .*content-length: ${length}\r\n\r\n$`, "si"));
  });

  test("every answer to an order says its fate in a header, whoever gives it", async () => {
    const statuses = [
      [{ body: JSON.stringify(anOrder) }, 202, "accepted"],
      [{ body: "{}" }, 422, "refused"],
      [{ body: "{" }, 400, "refused"],
      [{ body: JSON.stringify(anOrder), headers: { "content-type": "text/plain" } }, 415, "refused"],
      [{ method: "PUT", body: "{}" }, 405, "refused"],
    ] as const;
    for (const [given, status, fate] of statuses) {
      const answer = await tier.fetch("/orders", {
        method: "POST",
        headers: { "content-type": "application/json" },
        ...given,
      });
      expect([answer.status, answer.headers.get("order-fate")]).toEqual([status, fate]);
    }
  });

  test("whether it is ready is a metric, and so is a method that is not allowed", async () => {
    expect(await tier.metric("ready")).toBe(1);
    const text = await (await tier.fetch("/metrics")).text();
    expect(text).toMatch(/outcome="method_not_allowed",fate="refused".* 1$/m);
  });
});

test("nobody reaches it before it is ready: who finds it by name takes it for that", async () => {
  using cluster = startOrdersCluster();
  await using tier = startTier("producer", cluster.env);
  expect((await tier.fetch("/readyz")).status).toBe(200);
});

describe.concurrent("it is alive but not ready, says why, refuses orders, and needs no restart", () => {
  test("while Kafka is absent", async () => {
    using cluster = startOrdersCluster();
    cluster.eachBroker((id) => cluster.brokerDown(id));
    await using tier = startTier("producer", cluster.env);
    await unready(tier, "no connection to Kafka");
    expect((await tier.fetch("/livez")).status).toBe(200);
    const refused = await order(tier);
    expect(refused.status).toBe(503);
    expect(await tier.metric("ready")).toBe(0);
    expect(refused.headers.get("retry-after")).toMatch(/^\d+$/);
    expect(await refused.json()).toMatchObject({ fate: "refused" });

    cluster.eachBroker((id) => cluster.brokerUp(id));
    await tier.ready();
    expect((await order(tier)).status).toBe(202);
  });

  test("while the topic is absent", async () => {
    using cluster = startOrdersCluster();
    cluster.setTopicError("later", unknownTopic);
    await using tier = startTier("producer", { ...cluster.env, ORDERS_TOPIC: "later" });
    await unready(tier, "the topic later does not exist");
    expect((await order(tier)).status).toBe(503);

    cluster.setTopicError("later", 0);
    await tier.ready();
    expect((await order(tier)).status).toBe(202);
  });

  test("on a topic that is too weakly replicated", async () => {
    using cluster = startOrdersCluster();
    cluster.createTopic("weak", { partitions: partitionCount, replicationFactor: 2 });
    await using tier = startTier("producer", { ...cluster.env, ORDERS_TOPIC: "weak" });
    await unready(tier, "2 of 3 replicas");
    expect((await order(tier)).status).toBe(503);
    expect(await cluster.read("weak")).toEqual([]);
  });
});

describe.concurrent("SIGTERM", () => {
  test("it becomes unready and still serves; what is under way is answered; then it ends with 0", async () => {
    using cluster = startOrdersCluster();
    await using tier = startTier("producer", { ...cluster.env, DRAIN_NOTICE_MS: "1000" });
    await tier.ready();
    cluster.eachBroker((id) => cluster.setBrokerRttMs(id, 1_500));
    tier.signal("SIGTERM");
    await unready(tier, "draining");
    // The balancer has not noticed yet: this order is taken, and its answer comes after the notice is over.
    const underWay = order(tier);
    let refused: Response | undefined;
    await until("orders are refused while that one waits", async () => {
      order(tier).then(
        (answer) => {
          if (answer.status === 503) refused = answer;
        },
        () => undefined,
      );
      await Bun.sleep(50);
      return refused;
    });
    expect(await refused?.json()).toMatchObject({
      type: "urn:problem-type:coffee-orders:draining",
      fate: "refused",
    });
    expect((await underWay).status).toBe(202);
    expect(await tier.exited).toBe(0);
    expect(tier.stderr()).toBe("");
  });

  test("an idle producer ends at once, and so does one that never found Kafka", async () => {
    using cluster = startOrdersCluster();
    await using idle = startTier("producer", { ...cluster.env, DRAIN_NOTICE_MS: "0" });
    await idle.ready();
    cluster.eachBroker((id) => cluster.brokerDown(id));
    await using lost = startTier("producer", { ...cluster.env, DRAIN_NOTICE_MS: "0" });
    await unready(lost, "connecting");
    for (const tier of [idle, lost]) {
      tier.signal("SIGTERM");
      // Just after it is no second one: `bun run` hands on the Ctrl-C that the terminal has sent to all.
      tier.signal("SIGINT");
      expect(await tier.exited).toBe(0);
    }
  });

  test("a second signal ends it without a drain, with 1", async () => {
    using cluster = startOrdersCluster();
    await using tier = startTier("producer", { ...cluster.env, DRAIN_NOTICE_MS: "20000" });
    await tier.ready();
    tier.signal("SIGTERM");
    await unready(tier, "draining");
    expect(await tier.toldToTheEnd("SIGINT")).toBe(1);
  });

  test("what has no acknowledgement when the time is nearly over is answered as unknown, and the end is 1", async () => {
    using cluster = startOrdersCluster();
    await using tier = startTier("producer", {
      ...cluster.env,
      DRAIN_NOTICE_MS: "0",
      DRAIN_TIMEOUT_MS: "2000",
    });
    await tier.ready();
    cluster.eachBroker((id) => cluster.setBrokerRttMs(id, 600_000));
    const underWay = order(tier);
    await until("the order is under way", async () => (await tier.metric("orders_in_flight")) > 0);
    tier.signal("SIGTERM");
    const answer = await underWay;
    expect(answer.status).toBe(504);
    expect(await answer.json()).toMatchObject({
      type: "urn:problem-type:coffee-orders:delivery_unknown",
      fate: "unknown",
    });
    expect(await tier.exited).toBe(1);
    expect(tier.log.at(-1)?.msg).toBe("the drain failed: ending without it");
  });
});

test.concurrent("a port that is taken gets one message, and exit 1", async () => {
  using cluster = startOrdersCluster();
  const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  await using tier = startTier("producer", { ...cluster.env, HTTP_PORT: String(taken.port) });
  expect(await tier.exited).toBe(1);
  taken.stop(true);
  expect(tier.stderr()).toContain(`cannot listen on 127.0.0.1:${taken.port}`);
  expect(tier.stderr()).toContain("HTTP_PORT");
  expect(tier.stderr()).not.toMatch(/^\s+at /m);
});
