// A log that lost its end while nobody read it, under another leader, and is by now longer than where the group is.
import { expect, setDefaultTimeout, test } from "bun:test";
import { Registry } from "prom-client";
import { until } from "../../kit/until.ts";
import { startOrdersCluster } from "../../testing/kafka.ts";
import { newPlace, recordOf } from "../../testing/test-consumer.ts";
import { consumerConfig } from "../config.ts";
import { openConsumer, type Rebalance } from "../kafka/consumer.ts";
import { realClock as clock } from "../runtime/clock.ts";
import { createLogger } from "../runtime/log.ts";
import { createHandlingMetrics } from "./metrics.ts";
import { createOwnership } from "./ownership.ts";

setDefaultTimeout(120_000);

test("who takes a partition on has the leader confirm its place, and reads what took the places of the lost", async () => {
  using cluster = startOrdersCluster();
  using place = newPlace(cluster);
  const records = (count: number) => Array.from({ length: count }, (_, n) => recordOf(`order ${n}`));
  await place.put(records(10));
  cluster.setPartitionLeader(place.topic, 0, 2);
  await place.put(records(15));
  const config = consumerConfig(place.env);
  const demands: Rebalance[] = [];
  const client = await openConsumer(config, {
    onRebalance: (demand) => demands.push(demand),
    onError: () => undefined,
  });
  // The group had all of the first leader's 20, of which 10 are lost. The mock tells of no commit in which epoch that was.
  const committed = async () => new Map([[0, { offset: 20, leaderEpoch: 1, metadata: "" }]]);
  const metrics = createHandlingMetrics(new Registry());
  const log = createLogger("consumer", { ...config, LOG_LEVEL: "fatal" });
  const { takeOn, watchLogs, take } = createOwnership(config, {
    ...{ consumer: { ...client, committed }, metrics, log, clock },
  });
  const taken: number[] = [];
  function poll(): void {
    watchLogs();
    for (const record of client.poll(100).records) if (take(record)) taken.push(record.offset);
  }
  await until("the group demands something", () => {
    poll();
    return demands.length > 0;
  });
  await takeOn(demands[0]?.partitions ?? [], () => false);
  await until("all is read", () => {
    poll();
    return taken.includes(24);
  });
  expect(taken).toEqual(Array.from({ length: 15 }, (_, n) => 10 + n));
  await client.close();
});
