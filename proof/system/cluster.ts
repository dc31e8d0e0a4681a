// What a fault has to know of Kafka before it can choose its victim: who leads which partition, who is the controller,
// who coordinates the group, and whether every replica and every member is there. Asked of the brokers
// themselves, in three old requests of the protocol, because no client library tells all of it, and none tells
// it at once.
import { connect } from "node:net";

const answerLimitMs = 2_000;

/** API key and version of each request. */
const requests = { metadata: [3, 7], findCoordinator: [10, 0], describeGroups: [15, 0] } as const;

/** Where a broker listens for programs on this machine. */
export interface BrokerPort {
  id: number;
  port: number;
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

async function viewOf({ port }: BrokerPort, brokers: readonly BrokerPort[]): Promise<Cluster> {
  const { controller, partitions } = await metadata(port, topics);
  const coordinator = await coordinatorOf(port, group);
  const at = brokers.find(({ id }) => id === coordinator)?.port;
  // Until another is chosen, the brokers name a coordinator that is dead: that is what they see, and no reason to say
  // nothing.
  const { state, members } = at
    ? await describe(at, group).catch(() => ({ state: "coordinator does not answer", members: 0 }))
    : { state: "no coordinator", members: 0 };
  return { controller, partitions, coordinator, groupState: state, members };
}

async function metadata(port: number, topics: string[]) {
  // No topic is to be made by asking.
  const reader = await ask(port, requests.metadata, Buffer.concat([array(topics.map(string)), Buffer.of(0)]));
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

async function coordinatorOf(port: number, group: string): Promise<number | undefined> {
  const reader = await ask(port, requests.findCoordinator, string(group));
  return reader.int16() === 0 ? reader.int32() : undefined;
}

async function describe(port: number, group: string): Promise<{ state: string; members: number }> {
  const reader = await ask(port, requests.describeGroups, array([string(group)]));
  // How many groups, the error, the name.
  reader.int32();
  reader.int16();
  reader.string();
  const state = reader.string();
  reader.string();
  reader.string();
  return { state, members: reader.int32() };
}

/** One request over a connection of its own, and the answer after its correlation id. */
export function ask(port: number, [key, version]: readonly [number, number], body: Buffer): Promise<Reader> {
  const { promise, resolve, reject } = Promise.withResolvers<Reader>();
  const socket = connect({ port, host: "127.0.0.1" });
  const chunks: Buffer[] = [];
  socket.setTimeout(answerLimitMs, () => socket.destroy(new Error(`no answer on port ${port}`)));
  socket.on("error", reject);
  socket.on("close", () => reject(new Error(`the broker on port ${port} closed the connection`)));
  socket.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    const answer = Buffer.concat(chunks);
    if (answer.length < 4 || answer.length < 4 + answer.readInt32BE(0)) return;
    resolve(read(answer, 8));
    socket.destroy();
  });
  const head = Buffer.alloc(8);
  head.writeInt16BE(key, 0);
  head.writeInt16BE(version, 2);
  const request = Buffer.concat([head, string("coffee-orders-chaos"), body]);
  const size = Buffer.alloc(4);
  size.writeInt32BE(request.length);
  socket.write(Buffer.concat([size, request]));
  return promise;
}

export function string(text: string): Buffer {
  const bytes = Buffer.from(text);
  const size = Buffer.alloc(2);
  size.writeInt16BE(bytes.length);
  return Buffer.concat([size, bytes]);
}

export function array(items: Buffer[]): Buffer {
  const size = Buffer.alloc(4);
  size.writeInt32BE(items.length);
  return Buffer.concat([size, ...items]);
}

export type Reader = ReturnType<typeof read>;

/** Takes one field after another; a field beyond the end throws. */
function read(bytes: Buffer, start: number) {
  let at = start;
  const advance = (size: number) => {
    at += size;
    return at - size;
  };
  const int8 = () => bytes.readInt8(advance(1));
  const int16 = () => bytes.readInt16BE(advance(2));
  const int32 = () => bytes.readInt32BE(advance(4));
  const int64 = () => Number(bytes.readBigInt64BE(advance(8)));
  return {
    int8,
    int16,
    int32,
    int64,
    /** Null, which has the length -1, reads as "". */
    string: () => {
      const size = Math.max(0, int16());
      const from = advance(size);
      return bytes.toString("utf8", from, from + size);
    },
    list: <T>(item: () => T): T[] => Array.from({ length: Math.max(0, int32()) }, () => item()),
  };
}
