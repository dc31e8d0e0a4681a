import { afterEach, beforeEach, expect, test } from "bun:test";
import { type OrdersCluster, partitionCount, startOrdersCluster } from "../../testing/kafka.ts";
import { askCluster, askEach, type BrokerPort } from "./cluster.ts";

let mock: OrdersCluster;
let brokers: BrokerPort[];

beforeEach(() => {
  mock = startOrdersCluster();
  const ports = mock.bootstrap.split(",").map((address) => Number(address.split(":").at(-1)));
  brokers = ports.map((port, index) => ({ id: index + 1, port }));
});
afterEach(() => mock[Symbol.dispose]());

test("a broker that is dead is passed over", async () => {
  mock.setCoordinator("coffee-orders", 2);
  mock.brokerDown(1);
  const { coordinator, partitions } = await askCluster(brokers);
  expect(coordinator).toBe(2);
  const ours = partitions.filter(({ topic }) => topic === "orders");
  expect(ours).toHaveLength(partitionCount);
  const [first] = ours;
  expect(first).toMatchObject({ partition: 0, leader: 1, replicas: [1, 2, 3] });
  mock.setPartitionLeader("orders", 0, 2);
  const [moved] = (await askCluster(brokers)).partitions;
  expect(moved).toMatchObject({ partition: 0, leader: 2, epoch: (first?.epoch ?? 0) + 1 });
});

test("the others tell what they see while the group's coordinator is the dead one", async () => {
  // The mock would name another at once; Kafka does only when the dead one's session is over.
  mock.setCoordinator("coffee-orders", 1);
  using vacant = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const asFound = brokers.map((broker) => (broker.id === 1 ? { ...broker, port: vacant.port } : broker));
  vacant.stop(true);
  const seen = { coordinator: 1, groupState: "coordinator does not answer", members: 0 };
  expect(await askCluster(asFound)).toMatchObject(seen);
});

test("where every broker is asked, a dead one is an error; and where all are dead, in every case", async () => {
  mock.brokerDown(1);
  await expect(askEach(brokers)).rejects.toThrow(/ECONNREFUSED|connect|closed/i);
  for (const { id } of brokers) mock.brokerDown(id);
  await expect(askCluster(brokers)).rejects.toThrow("no broker answers");
});
