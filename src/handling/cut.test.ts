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
const silent = { INSTANCE: "one", LOG_LEVEL: "fatal" };

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

test("where a cut log does not tell from where to read it again it is asked again, and not read from its beginning", async () => {
  const rewinds: unknown[] = [];
  const places: (number | undefined)[] = [5, undefined, 5, 7];
  let asked = 0;
  // What librdkafka would tell: a record newer than the mark lies before it; from where to read on it tells the second time.
  const consumer = {
    committed: async () =>
      new Map([[0, { offset: 10, leaderEpoch: 0, metadata: "5,-,0,1000,0,10,10:1000" }]]),
    offsetsOf: async () => {
      const place = places[asked++];
      return new Map(place === undefined ? [] : [[0, place]]);
    },
    rewind: ({ offset }: { offset: unknown }) => rewinds.push(offset),
    topicId: () => undefined,
    assign: () => undefined,
    watermarks: () => ({ lowOffset: 0, highOffset: 20 }),
  };
  const parts = { metrics: createHandlingMetrics(new Registry()), log: createLogger("test", silent) };
  let nowMs = 0;
  const ofTest = { ...clock, nowMs: () => nowMs };
  const config = consumerConfig({ KAFKA_BROKERS: "127.0.0.1:1", LEDGER_URL: "sqlite:none" });
  const ownership = createOwnership(config, { ...parts, consumer: consumer as never, clock: ofTest });
  await ownership.takeOn([0], () => false);
  ownership.watchLogs();
  const record = { partition: 0, offset: 10, leaderEpoch: 0, timestampMs: 2_000, bytes: 1, own() {} };
  ownership.take({ ...record, value: null, key: null } as never);
  for (let second = 1; second < 6; second += 1) {
    nowMs = second * 1_000;
    ownership.watchLogs();
    await clock.nextTurn();
  }
  expect(rewinds).toEqual([10, 7]);
});
