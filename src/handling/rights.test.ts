/** A consumer is ready when it can do its work: it is in the group, may read the orders and may write dead letters. */
import { test } from "bun:test";
import { until } from "../../kit/until.ts";
import { startOrdersCluster } from "../../testing/kafka.ts";
import { newPlace, recordsOf, startTestConsumer } from "../../testing/test-consumer.ts";

const topicAuthorizationFailed = 29;
const groupAuthorizationFailed = 30;
const inconsistentProtocol = 23;
const unknownMember = 25;
const coordinatorNotAvailable = 15;
const notCoordinator = 16;
const offsetFetch = 9;
const findCoordinator = 10;
const joinGroup = 11;
const heartbeat = 12;

test.each(["topic", "deadTopic"] as const)(
  "without a right to its %s it says so, until it is granted",
  async (which) => {
    using cluster = startOrdersCluster();
    using place = newPlace(cluster);
    await using consumer = startTestConsumer(place.env);
    await until("it is ready", () => consumer.unready() === undefined);
    cluster.setTopicError(place[which], topicAuthorizationFailed);
    await until("it is unready", () =>
      consumer
        .unready()
        ?.startsWith(
          `no right to ${which === "topic" ? "READ" : "WRITE"} or DESCRIBE the topic ${place[which]}:`,
        ),
    );
    cluster.setTopicError(place[which], 0);
    await until("it is ready again", () => consumer.unready() === undefined);
    await place.put(recordsOf(20));
    await place.commits(20);
  },
  120_000,
);

test("who reaches no broker says so, until one is back", async () => {
  using cluster = startOrdersCluster();
  using place = newPlace(cluster);
  await using consumer = startTestConsumer(place.env);
  await until("it is ready", () => consumer.unready() === undefined);
  cluster.eachBroker((id) => cluster.brokerDown(id));
  await until("it says so", () => consumer.unready()?.startsWith("no Kafka broker is reachable"));
  cluster.eachBroker((id) => cluster.brokerUp(id));
  await until("it is ready again", () => consumer.unready() === undefined);
}, 120_000);

test("who is not let into the group is not ready, and says why", async () => {
  using cluster = startOrdersCluster();
  using place = newPlace(cluster);
  cluster.pushRequestErrors(joinGroup, Array(10_000).fill(groupAuthorizationFailed));
  await using consumer = startTestConsumer(place.env);
  await until("it says why", () => consumer.unready()?.includes("Group authorization failed"));
  cluster.clearRequestErrors(joinGroup);
  await until("it is in", () => consumer.unready() === undefined);
}, 120_000);

/** Each request fails that many times: more than there are until it is healed. */
const lasting = (error: number): number[] => Array(10_000).fill(error);

test.each<[string, Record<number, number[]>, string]>([
  [
    "is not let in again",
    { [joinGroup]: lasting(inconsistentProtocol), [heartbeat]: [unknownMember] },
    "JoinGroup failed: Broker: Inconsistent group protocol",
  ],
  [
    "finds no coordinator any more",
    { [findCoordinator]: lasting(coordinatorNotAvailable), [heartbeat]: lasting(notCoordinator) },
    "joining the group",
  ],
  [
    "is let in, and can't hear where the group stands",
    { [offsetFetch]: lasting(coordinatorNotAvailable), [heartbeat]: [unknownMember] },
    "joining the group",
  ],
])(
  "a member that %s is not ready until it takes part again",
  async (_, errors, why) => {
    using cluster = startOrdersCluster();
    using place = newPlace(cluster);
    await using consumer = startTestConsumer(place.env);
    await until("it is ready", () => consumer.unready() === undefined);
    for (const [kind, codes] of Object.entries(errors)) cluster.pushRequestErrors(Number(kind), codes);
    await until("it says why", () => consumer.unready() === why);
    for (const kind of Object.keys(errors)) cluster.clearRequestErrors(Number(kind));
    await until("it takes part", () => consumer.unready() === undefined);
    await place.put(recordsOf(20));
    await place.commits(20);
  },
  120_000,
);

test("one more than there are partitions is ready without any", async () => {
  using cluster = startOrdersCluster();
  using place = newPlace(cluster);
  cluster.createTopic("one", { partitions: 1, replicationFactor: 3 });
  const env = { ...place.env, ORDERS_TOPIC: "one" };
  await using first = startTestConsumer(env);
  await using second = startTestConsumer({ ...env, LEDGER_URL: place.env.LEDGER_URL });
  for (const consumer of [first, second]) await until("it is ready", () => consumer.unready() === undefined);
  const owned = () => Promise.all([first, second].map((one) => one.metric("kafka_partitions_owned")));
  await until("one has it, the other none", async () => (await owned()).sort().join() === "0,1");
}, 120_000);
