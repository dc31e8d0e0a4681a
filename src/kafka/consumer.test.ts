import { dlopen, FFIType, type Pointer } from "bun:ffi";
import { expect, test } from "bun:test";
import { until } from "../../kit/until.ts";
import { startMockCluster } from "../../native/mock-cluster.ts";
import { startDoor } from "../../testing/brokers/door.ts";
import { startOrdersCluster } from "../../testing/kafka.ts";
import { consumerConfig } from "../config.ts";
import { library } from "./addon.ts";
import { openConsumer, type Rebalance } from "./consumer.ts";
import { cText, rdkafka } from "./ffi.ts";

const { symbols: librdkafka } = dlopen(library, {
  rd_kafka_consumer_closed: { args: [FFIType.ptr], returns: FFIType.i32 },
});

/** librdkafka numbers them. */
const openConsumers = () =>
  Array.from({ length: 10_000 }, (_, n) => `coffee-orders#consumer-${n}`).filter((name) =>
    rdkafka.coffee_orders_client(cText(name)),
  );

/** Of Kafka's protocol. */
const [offsetFetch, leaveGroup, unstable] = [9, 13, 88];

/** Joins, and takes on what it is given. */
async function joined(bootstrap: string, takesOn = true) {
  const env = { KAFKA_BROKERS: bootstrap, MIN_INSYNC_REPLICAS: "1", REPLICATION_FACTOR: "1" };
  const config = consumerConfig({ ...env, LEDGER_URL: "sqlite:none", SESSION_TIMEOUT_MS: "6000" });
  const demands: Rebalance[] = [];
  const onRebalance = (demand: Rebalance) => demands.push(demand);
  const consumer = await openConsumer(config, { onRebalance, onError: () => undefined });
  const { partitions } = await until("it has joined", () => {
    consumer.poll(1);
    return demands.shift();
  });
  if (takesOn)
    consumer.assign(partitions.map((partition) => ({ partition, offset: "beginning", leaderEpoch: -1 })));
  return { consumer, partitions, demands };
}

test.each([
  ["what it was given", true],
  ["what it has not taken on yet", false],
])(
  "who is closed gives back %s, leaves the group and is gone, and nothing is demanded of it",
  async (_, takesOn) => {
    using cluster = startOrdersCluster();
    const before = openConsumers();
    const { consumer, partitions, demands } = await joined(cluster.bootstrap, takesOn);
    expect(partitions).toHaveLength(12);
    expect(openConsumers()).toHaveLength(before.length + 1);
    await consumer.close();
    expect(openConsumers()).toEqual(before);
    expect(demands).toEqual([]);
  },
);

test("who has joined and was given nothing leaves the group, too", async () => {
  const topics = { orders: { partitions: 1, replicationFactor: 1 } };
  const cluster = startMockCluster({ brokers: 1, topics, groupInitialRebalanceDelayMs: 2_000 });
  const asked: number[] = [];
  using door = await startDoor(cluster.bootstrap, { request: (kind) => void asked.push(kind) });
  const members = await Promise.all([joined(door.bootstrap), joined(door.bootstrap)]);
  members.sort((one, other) => one.partitions.length - other.partitions.length);
  expect(members[0]?.partitions).toEqual([]);
  await members[0]?.consumer.close();
  expect(asked).toContain(leaveGroup);
  await members[1]?.consumer.close();
  cluster.close();
}, 60_000);

test("who looks something up, which takes long, leaves the group meanwhile", async () => {
  using cluster = startOrdersCluster(2);
  cluster.setCoordinator("coffee-orders", 1);
  const before = openConsumers();
  const { consumer } = await joined(cluster.bootstrap);
  const [name = ""] = openConsumers().filter((one) => !before.includes(one));
  cluster.setBrokerRttMs(2, 60_000);
  let answered = false;
  const offsets = consumer.offsetsOf(new Map([[1, 1]]), 20_000).catch(() => {
    answered = true;
  });
  const closed = consumer.close();
  await until("it has left", () => {
    const client = rdkafka.coffee_orders_client(cText(name)) as Pointer | null;
    return client === null || librdkafka.rd_kafka_consumer_closed(client) !== 0;
  });
  expect(answered).toBe(false);
  await closed;
  await offsets;
}, 60_000);

test("it is not gone while somebody asks it what is committed", async () => {
  using cluster = startOrdersCluster(1);
  const { consumer } = await joined(cluster.bootstrap);
  cluster.pushRequestErrors(offsetFetch, Array(1_000).fill(unstable));
  let answered = false;
  const committed = consumer.committedOffsets([0], 4_000).catch(() => {
    answered = true;
  });
  await consumer.close();
  expect(answered).toBe(true);
  await committed;
}, 60_000);
