/** Where a partition is read on. */
import { expect, test } from "bun:test";
import { until } from "../../kit/until.ts";
import { startOrdersCluster } from "../../testing/kafka.ts";
import { consumerConfig } from "../config.ts";
import { openConsumer, type Rebalance } from "./consumer.ts";

test.each([
  ["lower epochs", [2, 3, 1]],
  ["the same epoch", []],
])(
  "after a pause a partition is read on where it was, also in a log that was made anew and has %s",
  async (_, leaders) => {
    using cluster = startOrdersCluster();
    const topic = "made-anew";
    const layout = { partitions: 1, replicationFactor: 3 };
    const put = (count: number) => cluster.put(topic, Array(count).fill({ value: "an order" }));
    cluster.createTopic(topic, layout);
    for (const leader of leaders) cluster.setPartitionLeader(topic, 0, leader);
    await put(100);

    const config = consumerConfig({ ...cluster.env, LEDGER_URL: "sqlite:none", ORDERS_TOPIC: topic });
    const demands: Rebalance[] = [];
    const onRebalance = (demand: Rebalance) => demands.push(demand);
    const consumer = await openConsumer(config, { onRebalance, onError: () => undefined });
    /** Reads so many records. */
    async function read(count: number): Promise<number[]> {
      const offsets: number[] = [];
      await until(`${count} records are read`, () => {
        offsets.push(...consumer.poll(count - offsets.length).records.map(({ offset }) => offset));
        return offsets.length === count;
      });
      return offsets;
    }
    const demand = () =>
      until("the group demands something", () => {
        consumer.poll(1);
        return demands.shift();
      });
    await demand();
    consumer.assign([{ partition: 0, offset: "beginning", leaderEpoch: -1 }]);
    await read(100);

    cluster.deleteTopic(topic);
    cluster.createTopic(topic, layout);
    await put(50);
    expect(await read(10)).toEqual(Array.from({ length: 10 }, (_, n) => n));
    // Beyond where it was in the log before: there is something to be read, too.
    await put(100);
    consumer.pause([0]);
    consumer.resume([0]);
    expect(await read(10)).toEqual(Array.from({ length: 10 }, (_, n) => 10 + n));
    consumer.leave();
    consumer.unassign((await demand()).partitions);
    await consumer.close();
  },
);
