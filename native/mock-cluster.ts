// librdkafka's mock cluster: Kafka brokers inside this process that speak the real protocol on
// 127.0.0.1 (produce, fetch, groups with cooperative rebalances, commits), with faults on demand.
// The addon exports librdkafka's C API, so the brokers are of the very version that the clients have.
// What it is not: nothing is kept on disk, and a partition keeps only its newest 5 MB or 100,000 messages. And a group
// that gains or loses a member assigns anew only after `session.timeout.ms` less a second: set a short one. Who asks for
// its assignment after the group's leader is sent to join again, and until that is done no commit is taken: brokers take
// one from a member until all have joined.
import { dlopen, FFIType, type Pointer, ptr } from "bun:ffi";
import { existsSync } from "node:fs";
import { addonPath } from "./addon.ts";

/** Layout of one topic; the mock's replicas are bookkeeping, the leader alone holds the records. */
export type MockTopic = { partitions: number; replicationFactor: number };

export type MockClusterOptions = {
  /** Number of brokers; their ids are 1 … brokers. */
  brokers?: number;
  /**
   * Topics that exist from the start; broker 1 + p % brokers leads partition p. Others are created by the
   * first client that asks for them, with 4 partitions.
   */
  topics?: Record<string, MockTopic>;
  /** How long a new group waits for further members before it assigns (Kafka's default is 3,000). */
  groupInitialRebalanceDelayMs?: number;
};

/** A running mock cluster. Each method throws when librdkafka refuses, and after `close()`. */
export type MockCluster = {
  /** `host:port,…` of every broker, as `bootstrap.servers` takes it. */
  readonly bootstrap: string;
  /** Broker 1 + p % brokers leads partition p. */
  createTopic(topic: string, layout: MockTopic): void;
  deleteTopic(topic: string): void;
  /** Every request on this topic is answered with this Kafka error code; 0 heals. 3: unknown topic. */
  setTopicError(topic: string, error: number): void;
  /** Cuts the broker's connections and refuses new ones. Leadership stays: move it by `setPartitionLeader`. */
  brokerDown(brokerId: number): void;
  brokerUp(brokerId: number): void;
  /** Ends a broker for good: the metadata of the others does not name it any more, and they lead what it led. */
  removeBroker(brokerId: number): void;
  /** Delays every answer of this broker. */
  setBrokerRttMs(brokerId: number, rttMs: number): void;
  /**
   * The next requests of this kind fail, one by each code in turn (Kafka error codes, 0: none).
   * -195 cuts the connection instead. Kinds: 0 Produce, 1 Fetch, 3 Metadata, 8 OffsetCommit, …
   */
  pushRequestErrors(apiKey: number, errors: number[]): void;
  /** Forgets what `pushRequestErrors` has left for this kind of request. */
  clearRequestErrors(apiKey: number): void;
  /** Makes a broker the partition's leader; -1: no leader. */
  setPartitionLeader(topic: string, partition: number, brokerId: number): void;
  /** Makes a broker the coordinator of a consumer group. */
  setCoordinator(group: string, brokerId: number): void;
  /** Ends the brokers, frees all. A second call does nothing. */
  close(): void;
};

const { ptr: pointer, i16, i32, u64, cstring, void: nothing } = FFIType;

const signatures = {
  rd_kafka_conf_new: { args: [], returns: pointer },
  rd_kafka_conf_set: { args: [pointer, pointer, pointer, pointer, u64], returns: i32 },
  rd_kafka_conf_destroy: { args: [pointer], returns: nothing },
  rd_kafka_new: { args: [i32, pointer, pointer, u64], returns: pointer },
  rd_kafka_destroy: { args: [pointer], returns: nothing },
  rd_kafka_err2name: { args: [i32], returns: cstring },
  rd_kafka_mock_cluster_new: { args: [pointer, i32], returns: pointer },
  rd_kafka_mock_cluster_destroy: { args: [pointer], returns: nothing },
  rd_kafka_mock_cluster_bootstraps: { args: [pointer], returns: cstring },
  rd_kafka_mock_group_initial_rebalance_delay_ms: { args: [pointer, i32], returns: nothing },
  rd_kafka_mock_topic_create: { args: [pointer, pointer, i32, i32], returns: i32 },
  rd_kafka_mock_topic_delete: { args: [pointer, pointer], returns: i32 },
  rd_kafka_mock_topic_set_error: { args: [pointer, pointer, i32], returns: nothing },
  rd_kafka_mock_broker_set_down: { args: [pointer, i32], returns: i32 },
  rd_kafka_mock_broker_set_up: { args: [pointer, i32], returns: i32 },
  rd_kafka_mock_broker_decommission: { args: [pointer, i32], returns: i32 },
  rd_kafka_mock_broker_set_rtt: { args: [pointer, i32, i32], returns: i32 },
  rd_kafka_mock_push_request_errors_array: { args: [pointer, i16, u64, pointer], returns: nothing },
  rd_kafka_mock_clear_request_errors: { args: [pointer, i16], returns: nothing },
  rd_kafka_mock_partition_set_leader: { args: [pointer, pointer, i32, i32], returns: i32 },
  rd_kafka_mock_coordinator_set: { args: [pointer, pointer, pointer, i32], returns: i32 },
} as const;

const RD_KAFKA_PRODUCER = 0;
const errstrBytes = 512;

const open = () => dlopen(addonPath, signatures).symbols;
let opened: ReturnType<typeof open> | undefined;

function librdkafka(): ReturnType<typeof open> {
  if (!opened) {
    if (!existsSync(addonPath)) throw new Error("node-rdkafka is not built for Bun yet: bun run native");
    opened = open();
  }
  return opened;
}

/** bun:ffi gives addresses as numbers, but types them as number or bigint. */
const address = (p: Pointer | bigint | null): Pointer | null => p as Pointer | null;

const cString = (text: string): Buffer => Buffer.from(`${text}\0`);

/** A client handle that connects nowhere: the mock cluster needs one for its bookkeeping. */
function newHandle(lib: ReturnType<typeof open>): Pointer {
  const errstr = Buffer.alloc(errstrBytes);
  const said = () => errstr.toString("utf8", 0, errstr.indexOf(0));
  const conf = lib.rd_kafka_conf_new();
  // Errors only: by default it would note that no bootstrap.servers is set.
  if (lib.rd_kafka_conf_set(conf, cString("log_level"), cString("3"), ptr(errstr), errstrBytes) !== 0) {
    lib.rd_kafka_conf_destroy(conf);
    throw new Error(`mock cluster: ${said()}`);
  }
  const handle = address(lib.rd_kafka_new(RD_KAFKA_PRODUCER, conf, ptr(errstr), errstrBytes));
  if (handle) return handle;
  lib.rd_kafka_conf_destroy(conf); // rd_kafka_new owns it only when it succeeds
  throw new Error(`mock cluster: ${said()}`);
}

/** Starts brokers on free ports of 127.0.0.1 and creates the topics. Ends with `close()` or the process. */
export function startMockCluster({
  brokers = 3,
  topics = {},
  groupInitialRebalanceDelayMs = 100,
}: MockClusterOptions = {}): MockCluster {
  const lib = librdkafka();
  const handle = newHandle(lib);
  const cluster = brokers > 0 ? address(lib.rd_kafka_mock_cluster_new(handle, brokers)) : null;
  if (!cluster) {
    lib.rd_kafka_destroy(handle);
    throw new Error(`mock cluster: could not start ${brokers} brokers`);
  }

  let closed = false;
  const live = (): Pointer => {
    if (closed) throw new Error("mock cluster: closed");
    // The mock's thread misses an order that comes while it puts away the last one's wake-up, and finds
    // it only after a second: leave it the moment it needs.
    Bun.sleepSync(1);
    return cluster;
  };
  const done = (what: string, error: number): void => {
    if (error !== 0) throw new Error(`mock cluster: ${what}: ${lib.rd_kafka_err2name(error)}`);
  };

  const running: MockCluster = {
    bootstrap: String(lib.rd_kafka_mock_cluster_bootstraps(cluster)),
    createTopic: (topic, { partitions, replicationFactor }) => {
      const created = lib.rd_kafka_mock_topic_create(live(), cString(topic), partitions, replicationFactor);
      done(`create topic ${topic}`, created);
      // The mock would draw leaders at random; a test wants to know whom it hits.
      for (let p = 0; p < partitions; p++) running.setPartitionLeader(topic, p, 1 + (p % brokers));
    },
    deleteTopic: (topic) =>
      done(`delete topic ${topic}`, lib.rd_kafka_mock_topic_delete(live(), cString(topic))),
    setTopicError: (topic, error) => lib.rd_kafka_mock_topic_set_error(live(), cString(topic), error),
    brokerDown: (id) => done(`broker ${id} down`, lib.rd_kafka_mock_broker_set_down(live(), id)),
    brokerUp: (id) => done(`broker ${id} up`, lib.rd_kafka_mock_broker_set_up(live(), id)),
    removeBroker: (id) => done(`remove broker ${id}`, lib.rd_kafka_mock_broker_decommission(live(), id)),
    setBrokerRttMs: (id, rttMs) =>
      done(`broker ${id} rtt`, lib.rd_kafka_mock_broker_set_rtt(live(), id, rttMs)),
    pushRequestErrors: (apiKey, errors) => {
      if (errors.length === 0) return;
      const codes = Int32Array.from(errors);
      lib.rd_kafka_mock_push_request_errors_array(live(), apiKey, codes.length, codes);
    },
    clearRequestErrors: (apiKey) => lib.rd_kafka_mock_clear_request_errors(live(), apiKey),
    setPartitionLeader: (topic, partition, id) =>
      done(
        `leader of ${topic}[${partition}]`,
        lib.rd_kafka_mock_partition_set_leader(live(), cString(topic), partition, id),
      ),
    setCoordinator: (group, id) =>
      done(
        `coordinator of ${group}`,
        lib.rd_kafka_mock_coordinator_set(live(), cString("group"), cString(group), id),
      ),
    close: () => {
      if (closed) return;
      lib.rd_kafka_mock_cluster_destroy(live());
      closed = true;
      lib.rd_kafka_destroy(handle);
    },
  };

  try {
    lib.rd_kafka_mock_group_initial_rebalance_delay_ms(live(), groupInitialRebalanceDelayMs);
    for (const [topic, layout] of Object.entries(topics)) running.createTopic(topic, layout);
    return running;
  } catch (error) {
    running.close();
    throw error;
  }
}
