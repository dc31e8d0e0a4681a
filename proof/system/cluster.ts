// What a fault has to know of Kafka before it can choose its victim: who leads which partition, who is the controller,
// who coordinates the group, and whether every replica and every member is there. Asked of the brokers
// themselves, in three old requests of the protocol, because no client library tells all of it, and none tells
// it at once.
import { array, ask, type Door, string } from "../../ops/protocol.ts";

/** API key and version of each request. */
const requests = { metadata: [3, 7], findCoordinator: [10, 0], describeGroups: [15, 0] } as const;

/** Where a broker listens for programs on this machine. */
export interface BrokerPort extends Door {
  id: number;
}

export interface PartitionReplicas {
  topic: string;
  partition: number;
  /** -1: none at the moment. */
  leader: number;
  /** Goes up by one with each change of the leader (KIP-320). */
  epoch: number;
  replicas: number[];
  inSync: number[];
}

export interface Cluster {
  /** -1: none at the moment. */
  controller: number;
  partitions: PartitionReplicas[];
  /** Of the consumer group; undefined while nobody is. */
  coordinator: number | undefined;
  /** Kafka's name for what the group is doing: "Stable", "PreparingRebalance", ...; or why it can't be told. */
  groupState: string;
  members: number;
}

/** What is asked for. */
const topics = ["orders", "__consumer_offsets"];
const group = "coffee-orders";

/**
 * The cluster as the first broker sees it that answers.
 * @throws Error when none does
 */
export async function askCluster(brokers: readonly BrokerPort[]): Promise<Cluster> {
  const failures: unknown[] = [];
  for (const broker of brokers) {
    try {
      return await viewOf(broker, brokers);
    } catch (error) {
      failures.push(error);
    }
  }
  throw new Error(`no broker answers: ${failures.join("; ")}`);
}

/**
 * The cluster as each broker sees it: one that has just woken up sees what was.
 * @throws Error when one does not answer
 */
export const askEach = (brokers: readonly BrokerPort[]): Promise<Cluster[]> =>
  Promise.all(brokers.map((broker) => viewOf(broker, brokers)));

async function viewOf(broker: BrokerPort, brokers: readonly BrokerPort[]): Promise<Cluster> {
  const { controller, partitions } = await metadata(broker, topics);
  const coordinator = await coordinatorOf(broker, group);
  const at = brokers.find(({ id }) => id === coordinator);
  // Until another is chosen, the brokers name a coordinator that is dead: that is what they see, and no reason to say
  // nothing.
  const { state, members } = at
    ? await describe(at, group).catch(() => ({ state: "coordinator does not answer", members: 0 }))
    : { state: "no coordinator", members: 0 };
  return { controller, partitions, coordinator, groupState: state, members };
}

async function metadata(door: Door, topics: string[]) {
  // No topic is to be made by asking.
  const reader = await ask(door, requests.metadata, Buffer.concat([array(topics.map(string)), Buffer.of(0)]));
  reader.int32();
  reader.list(() => [reader.int32(), reader.string(), reader.int32(), reader.string()]);
  reader.string();
  const controller = reader.int32();
  const partitions = reader.list(() => {
    reader.int16();
    const topic = reader.string();
    reader.int8();
    return reader.list((): PartitionReplicas => {
      reader.int16();
      const [partition, leader, epoch] = [reader.int32(), reader.int32(), reader.int32()];
      const [replicas, inSync] = [reader.list(reader.int32), reader.list(reader.int32)];
      // Replicas that are away.
      reader.list(reader.int32);
      return { topic, partition, leader, epoch, replicas, inSync };
    });
  });
  return { controller, partitions: partitions.flat() };
}

async function coordinatorOf(door: Door, group: string): Promise<number | undefined> {
  const reader = await ask(door, requests.findCoordinator, string(group));
  return reader.int16() === 0 ? reader.int32() : undefined;
}

async function describe(door: Door, group: string): Promise<{ state: string; members: number }> {
  const reader = await ask(door, requests.describeGroups, array([string(group)]));
  // How many groups, the error, the name.
  reader.int32();
  reader.int16();
  reader.string();
  const state = reader.string();
  reader.string();
  reader.string();
  return { state, members: reader.int32() };
}
