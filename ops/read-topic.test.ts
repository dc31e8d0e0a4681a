// What a reader of a whole topic meets on a real protocol: leaders that move as it asks.
import { expect, test } from "bun:test";
import { kafkaConfig } from "../src/config.ts";
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
