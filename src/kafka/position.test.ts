/** Where a partition is read on after a pause, as every rebalance makes one, in a log that was made anew. */
import { afterAll, expect, test } from "bun:test";
import { until } from "../../kit/until.ts";
import { startOrdersCluster } from "../../testing/kafka.ts";
import { consumerConfig } from "../config.ts";
import { openConsumer, type Rebalance } from "./consumer.ts";

const cluster = startOrdersCluster();
afterAll(() => cluster[Symbol.dispose]());
const layout = { partitions: 1, replicationFactor: 3 };
const put = (topic: string, count: number) => cluster.put(topic, Array(count).fill({ value: "an order" }));
let topics = 0;

/** A consumer that has read 100 records of a topic that is made anew then, and has 50. @param leaders of the former, after the first */
async function inNewLog(leaders: readonly number[]) {
  topics += 1;
  const topic = `topic-${topics}`;
  cluster.createTopic(topic, layout);
  for (const leader of leaders) cluster.setPartitionLeader(topic, 0, leader);
  await put(topic, 100);
  const about = { ...cluster.env, LEDGER_URL: "sqlite:none", ORDERS_TOPIC: topic, CONSUMER_GROUP: topic };
  const demands: Rebalance[] = [];
  const onRebalance = (demand: Rebalance) => demands.push(demand);
  const consumer = await openConsumer(consumerConfig(about), { onRebalance, onError: () => undefined });
  const demand = () =>
    until("the group demands something", () => {
      consumer.poll(1);
      return demands.shift();
    });
  /** The offsets of the next records. */
  async function read(count: number): Promise<number[]> {
    const offsets: number[] = [];
    await until(`${count} records are read`, () => {
      offsets.push(...consumer.poll(count - offsets.length).records.map(({ offset }) => offset));
      return offsets.length === count;
    });
    return offsets;
  }
  await demand();
  consumer.assign([{ partition: 0, offset: "beginning", leaderEpoch: -1 }]);
  await read(100);
  cluster.deleteTopic(topic);
  cluster.createTopic(topic, layout);
  await put(topic, 50);
  return {
    ...{ consumer, read },
    /** The log is by then longer than the former was: there is something to be read where the consumer was in that. */
    async pause(): Promise<void> {
      await put(topic, 100);
      consumer.pause([0]);
      consumer.resume([0]);
    },
    [Symbol.asyncDispose]: () => consumer.close(),
  };
}

test.each([
  ["lower epochs", [2, 3, 1]],
  ["the same epoch", []],
])("where it was, with %s", async (_, leaders) => {
  await using reader = await inNewLog(leaders);
  expect(await reader.read(10)).toEqual(Array.from({ length: 10 }, (_, n) => n));
  await reader.pause();
  expect(await reader.read(10)).toEqual(Array.from({ length: 10 }, (_, n) => 10 + n));
});

test("at the beginning, where nothing of it was read yet", async () => {
  await until("it begins there", async () => {
    await using reader = await inNewLog([]);
    await until("a broker has told of the new log", () => reader.consumer.watermarks(0).highOffset === 50);
    // Nothing tells when it has found its place there. Too soon, it goes on where it was, as if the log were the former one.
    await Bun.sleep(300);
    await reader.pause();
    return (await reader.read(1))[0] === 0;
  });
});
