// A log that lost its end while nobody read it, under another leader, and is by now longer than where the group is.
import { expect, setDefaultTimeout, test } from "bun:test";
import { Registry } from "prom-client";
import { until } from "../../kit/until.ts";
import { startOrdersCluster } from "../../testing/kafka.ts";
import { newPlace, recordOf } from "../../testing/test-consumer.ts";
import { consumerConfig } from "../config.ts";
import { openConsumer, type Rebalance } from "../kafka/consumer.ts";
import type { CommittedOffset } from "../kafka/places.ts";
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

/** Partition 0's ownership from where the group is. @param offsetsOf what librdkafka tells of the log as it is */
async function ownershipOf(
  committed: Map<number, CommittedOffset>,
  offsetsOf: (ms: number) => number | undefined,
) {
  const rewinds: unknown[] = [];
  const consumer = {
    committed: async () => committed,
    offsetsOf: async (of: Map<number, number>) => {
      const place = offsetsOf(of.get(0) as number);
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
  return {
    rewinds,
    ...ownership,
    take: (offset: number, timestampMs: number) => {
      const record = { partition: 0, offset, leaderEpoch: 0, timestampMs, bytes: 1, own() {} };
      ownership.take({ ...record, value: null, key: null } as never);
    },
    async watchFor(seconds: number): Promise<void> {
      for (let second = 1; second <= seconds; second += 1) {
        nowMs += 1_000;
        ownership.watchLogs();
        await clock.nextTurn();
      }
    },
  };
}

test("where a cut log does not tell from where to read it again it is asked again, and not read from its beginning", async () => {
  // A record newer than the mark lies before it; from where to read on it tells the second time.
  const places = [5, undefined, 5, 7];
  const committed = { offset: 10, leaderEpoch: 0, metadata: "5,-,0,1000,0,10,10:1000" };
  const ownership = await ownershipOf(new Map([[0, committed]]), () => places.shift());
  ownership.watchLogs();
  ownership.take(10, 2_000);
  await ownership.watchFor(5);
  expect(ownership.rewinds).toEqual([10, 7]);
});

test("what was fetched before its brokers lost it hides nothing, where it comes at once with what is there since", async () => {
  const since = Date.now();
  const log = [0, 1, 2, 3].map((n) => since + n);
  const ownership = await ownershipOf(new Map(), (ms) => log.findIndex((one) => one >= ms));
  ownership.take(0, since - 5_000);
  ownership.take(1, since - 4_999);
  for (const offset of [2, 3]) ownership.take(offset, log[offset] as number);
  await ownership.watchFor(5);
  expect(ownership.rewinds).toEqual([0]);
});
