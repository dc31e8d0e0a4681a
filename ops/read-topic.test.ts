// What a reader of a whole topic meets on a real protocol: leaders that move as it asks, records that have rotted.
import { expect, setSystemTime, test } from "bun:test";
import { kafkaConfig } from "../src/config.ts";
import { startDoor } from "../testing/brokers/door.ts";
import { startOrdersCluster } from "../testing/kafka.ts";
import { openTopicReader } from "./read-topic.ts";

/** The answers about a partition's two ends may be read at once, one an error and the other none. */
const tries = 40;

test("a topic whose leaders move just then is read all the same, and whole", async () => {
  using cluster = startOrdersCluster();
  const config = kafkaConfig(cluster.env);
  await cluster.put(config.ORDERS_TOPIC, [{ value: "{}" }]);
  const listOffsets = 2;
  const [leaderNotAvailable, notLeader] = [5, 6];
  for (let n = 0; n < tries; n += 1) {
    cluster.pushRequestErrors(listOffsets, [notLeader, leaderNotAvailable, notLeader]);
    const reader = await openTopicReader(config, config.ORDERS_TOPIC);
    expect(reader.ranges[0]).toMatchObject({ partition: 0, start: 0, end: 1 });
    await reader.close();
  }
});

test("a record that does not come as it was written is given to nobody, and it is said where it lies", async () => {
  using cluster = startOrdersCluster(1);
  await cluster.put("orders.dead", [{ value: "sound" }, { value: "rotten", partition: 1 }]);
  using door = await startDoor(cluster.bootstrap, {
    answer(answer) {
      const at = answer.indexOf("rotten");
      if (at >= 0) answer.write("wooden", at);
    },
  });
  const reader = await openTopicReader(kafkaConfig({ KAFKA_BROKERS: door.bootstrap }), "orders.dead");
  const read: string[] = [];
  const reading = reader.read(reader.ranges, ({ value }) => void read.push(String(value)));
  await expect(reading).rejects.toThrow(/partitions left: 1; partition 1: .*CRC/);
  expect(read).toEqual(["sound"]);
  await reader.close();
}, 60_000);

test("the time in which a record is used is none in which the brokers gave no more", async () => {
  using cluster = startOrdersCluster();
  await cluster.put("orders", [{ value: "used for long" }, { value: "of another leader", partition: 1 }]);
  const reader = await openTopicReader(kafkaConfig(cluster.env), "orders");
  cluster.setBrokerRttMs(2, 1_000);
  const read: string[] = [];
  try {
    await reader.read(reader.ranges, ({ value }) => {
      if (read.push(String(value)) === 1) setSystemTime(Date.now() + 21_000);
      return undefined;
    });
  } finally {
    setSystemTime();
  }
  expect(read).toEqual(["used for long", "of another leader"]);
  await reader.close();
}, 60_000);
