/**
 * What a test wants to do to a topic from outside: put any record on it, read everything that is on it, see what a
 * group has committed; and a mock cluster with the project's topics.
 */

import { answered, until } from "../kit/until.ts";
import { type MockCluster, startMockCluster } from "../native/mock-cluster.ts";
import Kafka from "../src/kafka/addon.ts";
import { called, disconnect } from "../src/kafka/client.ts";

export const partitionCount = 12;

/** A record as it lies on a topic. */
export type StoredRecord = {
  partition: number;
  offset: number;
  key: Buffer | null;
  value: Buffer | null;
  headers: Record<string, string>;
};

/** A record to be put on a topic, on partition 0 unless it says another. */
export type RawRecord = {
  key?: Buffer | null;
  value: Buffer | string | null;
  partition?: number;
  headers?: Record<string, string>;
};

/** A cluster's topics as seen from outside; each has the usual number of partitions. */
export type Topics = {
  /** Puts records on a topic, in their order. @returns their offsets */
  put(topic: string, records: readonly RawRecord[]): Promise<number[]>;
  /** Everything on a topic, by partition and offset. */
  read(topic: string): Promise<StoredRecord[]>;
  /** What a group has committed, by partition. */
  committedOffsets(group: string, topic: string): Promise<Map<number, number>>;
  /** The sum of a group's committed offsets: how many records of the topic it is done with. */
  committed(group: string, topic: string): Promise<number>;
};

export type OrdersCluster = MockCluster &
  Topics & {
    /** The variables of a tier on this cluster; the mock can't tell a topic's configuration, so none is demanded. */
    readonly env: { KAFKA_BROKERS: string; MIN_INSYNC_REPLICAS: string; REPLICATION_FACTOR: string };
    /** Does something to each broker: `cluster.eachBroker((id) => cluster.brokerDown(id))`. */
    eachBroker(act: (id: number) => void): void;
    [Symbol.dispose](): void;
  };

/** Starts brokers with the topics `orders` and `orders.dead`. */
export function startOrdersCluster(brokers = 3): OrdersCluster {
  const layout = { partitions: partitionCount, replicationFactor: brokers };
  const cluster = startMockCluster({ brokers, topics: { orders: layout, "orders.dead": layout } });
  const env = {
    KAFKA_BROKERS: cluster.bootstrap,
    MIN_INSYNC_REPLICAS: "1",
    REPLICATION_FACTOR: String(brokers),
  };
  return {
    ...cluster,
    ...openTopics(cluster.bootstrap),
    env,
    eachBroker(act) {
      for (let id = 1; id <= brokers; id += 1) act(id);
    },
    [Symbol.dispose]: () => cluster.close(),
  };
}

/** A cluster's topics; nothing stays open between the calls. */
export function openTopics(bootstrap: string): Topics {
  const settings = { "bootstrap.servers": bootstrap, "allow.auto.create.topics": false };
  return {
    async put(topic, records) {
      const producer = new Kafka.Producer({ ...settings, dr_cb: true, "message.max.bytes": 10_000_000 });
      const offsets: number[] = [];
      producer.on("delivery-report", (error, { offset }) => offsets.push(error ? Number.NaN : offset));
      await connect(producer);
      try {
        for (const { value, partition = 0, key = null, headers = {} } of records) {
          const pairs = Object.entries(headers).map(([name, text]) => ({ [name]: text }));
          const bytes = typeof value === "string" ? Buffer.from(value) : value;
          producer.produce(topic, partition, bytes, key, undefined, undefined, pairs);
        }
        await until("every record is acknowledged", () => {
          producer.poll();
          return offsets.length === records.length;
        });
      } finally {
        await disconnect(producer);
      }
      return offsets;
    },

    async read(topic) {
      const consumer = new Kafka.KafkaConsumer({ ...settings, "group.id": "reader" }, {});
      await connect(consumer);
      consumer.setDefaultConsumeTimeout(20);
      try {
        const ends = await Promise.all(places(topic).map((place) => highOffset(consumer, place)));
        consumer.assign(places(topic).map((place) => ({ ...place, offset: 0 })));
        const missing = ends.reduce((sum, end) => sum + end, 0);
        const found: StoredRecord[] = [];
        await until(`${missing} records of ${topic} are read`, async () => {
          if (found.length < missing) found.push(...(await consume(consumer)).map(stored));
          return found.length >= missing;
        });
        return found.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
      } finally {
        await disconnect(consumer);
      }
    },

    async committed(group, topic) {
      return [...(await this.committedOffsets(group, topic)).values()].reduce(
        (sum, offset) => sum + offset,
        0,
      );
    },

    async committedOffsets(group, topic) {
      const consumer = new Kafka.KafkaConsumer({ ...settings, "group.id": group }, {});
      await connect(consumer);
      try {
        const offsets = await called<{ partition: number; offset?: number }[]>((done) =>
          consumer.committed(places(topic), 5_000, done),
        );
        return new Map(offsets.map(({ partition, offset = 0 }) => [partition, Math.max(0, offset)]));
      } finally {
        await disconnect(consumer);
      }
    },
  };
}

type Client = Kafka.Producer | Kafka.KafkaConsumer;

const places = (topic: string) =>
  Array.from({ length: partitionCount }, (_, partition) => ({ topic, partition }));

const connect = (client: Client) => called((done) => client.connect({ timeout: 10_000 }, done));

const consume = (consumer: Kafka.KafkaConsumer) =>
  called<Kafka.Message[]>((done) => consumer.consume(1_000, done));

/** Kafka's LEADER_NOT_AVAILABLE and NOT_LEADER_OR_FOLLOWER (protocol, error codes). */
const noLeader: ReadonlySet<number> = new Set([5, 6]);

/** Leaders move where a broker died, and who was one is asked once more: then another tells. */
async function highOffset(
  consumer: Kafka.KafkaConsumer,
  { topic, partition }: { topic: string; partition: number },
): Promise<number> {
  const ask = () =>
    called<Kafka.WatermarkOffsets>((done) => consumer.queryWatermarkOffsets(topic, partition, 5_000, done));
  const offsets = await answered(ask, ({ code = 0 }) => noLeader.has(code));
  return offsets.highOffset;
}

const stored = ({ partition, offset, key, value, headers = [] }: Kafka.Message): StoredRecord => ({
  partition,
  offset,
  key: key as Buffer | null,
  value,
  headers: Object.fromEntries(
    headers.flatMap((header) => Object.entries(header).map(([name, text]) => [name, String(text)])),
  ),
});
