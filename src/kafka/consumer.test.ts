import { expect, test } from "bun:test";
import { until } from "../../kit/until.ts";
import { startOrdersCluster } from "../../testing/kafka.ts";
import { consumerConfig } from "../config.ts";
import { openConsumer, type Rebalance } from "./consumer.ts";
import { cText, rdkafka } from "./ffi.ts";

/** librdkafka numbers them. */
const openConsumers = () =>
  Array.from({ length: 10_000 }, (_, n) =>
    rdkafka.coffee_orders_client(cText(`coffee-orders#consumer-${n}`)),
  ).filter(Boolean).length;

test.each([
  ["what it was given", true],
  ["what it has not taken on yet", false],
])(
  "who is closed gives back %s, leaves the group and is gone, and nothing is demanded of it",
  async (_, takesOn) => {
    using cluster = startOrdersCluster();
    const config = consumerConfig({ ...cluster.env, LEDGER_URL: "sqlite:none" });
    const before = openConsumers();
    const demands: Rebalance[] = [];
    const onRebalance = (demand: Rebalance) => demands.push(demand);
    const consumer = await openConsumer(config, { onRebalance, onError: () => undefined });
    const { partitions } = await until("it is to take something on", () => {
      consumer.poll(1);
      return demands.shift();
    });
    expect(partitions).toHaveLength(12);
    expect(openConsumers()).toBe(before + 1);
    if (takesOn)
      consumer.assign(partitions.map((partition) => ({ partition, offset: "beginning", leaderEpoch: -1 })));
    await consumer.close();
    expect(openConsumers()).toBe(before);
    expect(demands).toEqual([]);
  },
);
