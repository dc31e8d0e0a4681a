import { expect, test } from "bun:test";
import { until } from "../../kit/until.ts";
import { type OrdersCluster, startOrdersCluster } from "../../testing/kafka.ts";
import { consumerConfig } from "../config.ts";
import { openConsumer } from "./consumer.ts";

/** Of Kafka's protocol. */
const offsetFetch = 9;
const notCoordinator = 16;
const slowMs = 2_000;
const limitMs = 30_000;

test("what is committed is asked of the coordinator that there is now, while the one before stays connected", async () => {
  using cluster = startOrdersCluster();
  await using member = await join(cluster);
  await member.coordinatedBy(1);
  // The mock's first one says so only when it is told to, and would answer after that, at once.
  cluster.setCoordinator(member.group, 2);
  cluster.pushRequestErrors(offsetFetch, [notCoordinator]);
  expect(await member.asked()).toContain("Not coordinator");
  cluster.setBrokerRttMs(2, slowMs);
  const beganMs = performance.now();
  expect(await member.asked()).toBe("answered");
  expect(performance.now() - beganMs).toBeGreaterThan(slowMs - 1);
});

test("nor of one that died, and that no broker knows any more", async () => {
  using cluster = startOrdersCluster();
  await using member = await join(cluster);
  await member.coordinatedBy(1);
  cluster.removeBroker(1);
  cluster.setCoordinator(member.group, 2);
  // By then the client has learned who is there.
  expect(await member.consumer.missingRight(limitMs)).toBeUndefined();
  expect(await member.asked()).toBe("answered");
});

test("a coordinator that comes back after nobody waits for its answer any more does no harm", async () => {
  using cluster = startOrdersCluster();
  await using member = await join(cluster);
  await member.coordinatedBy(1);
  cluster.brokerDown(1);
  // Longer than librdkafka itself goes on (socket.timeout.ms). Who asks a broker that is just being dropped has its answer at once.
  await until("nobody answers", async () => (await member.asked(2 * 10_000)).includes("Timed out"));
  cluster.brokerUp(1);
  expect(await member.asked()).toBe("answered");
});

async function join(cluster: OrdersCluster) {
  const config = consumerConfig({ ...cluster.env, LEDGER_URL: "sqlite:none" });
  const group = config.CONSUMER_GROUP;
  const nothing = () => undefined;
  const consumer = await openConsumer(config, { onRebalance: nothing, onError: nothing });
  const asked = (timeoutMs = limitMs) =>
    consumer.committed([0], timeoutMs).then(
      () => "answered",
      (error) => String(error),
    );
  return {
    ...{ group, consumer, asked },
    async coordinatedBy(broker: number): Promise<void> {
      cluster.setCoordinator(group, broker);
      await until("it answers", async () => (await asked()) === "answered");
    },
    [Symbol.asyncDispose]: () => consumer.close(),
  };
}
