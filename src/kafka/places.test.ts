import { expect, test } from "bun:test";
import { until } from "../../kit/until.ts";
import { startOrdersCluster } from "../../testing/kafka.ts";
import { consumerConfig } from "../config.ts";
import { openConsumer } from "./consumer.ts";

/** Of Kafka's protocol. */
const offsetFetch = 9;
const notCoordinator = 16;
const slowMs = 2_000;

test("what is committed is asked of the coordinator that there is now, while the one before stays connected", async () => {
  using cluster = startOrdersCluster();
  const config = consumerConfig({ ...cluster.env, LEDGER_URL: "sqlite:none" });
  const member = await openConsumer(config, { onRebalance: () => undefined, onError: () => undefined });
  const asked = () =>
    member.committed([0], 30_000).then(
      () => "answered",
      (error) => String(error),
    );
  cluster.setCoordinator(config.CONSUMER_GROUP, 1);
  await until("the first answers", async () => (await asked()) === "answered");
  // The mock's first one says so only when it is told to, and would answer after that, at once.
  cluster.setCoordinator(config.CONSUMER_GROUP, 2);
  cluster.pushRequestErrors(offsetFetch, [notCoordinator]);
  expect(await asked()).toContain("Not coordinator");
  cluster.setBrokerRttMs(2, slowMs);
  const beganMs = performance.now();
  expect(await asked()).toBe("answered");
  expect(performance.now() - beganMs).toBeGreaterThan(slowMs - 1);
  await member.close();
}, 120_000);
