/**
 * A Kafka producer that is always either usable or being replaced: it connects in the background and never gives
 * up, refuses a topic that is or becomes too weak for as long as it is, and after a fatal error it makes a new client,
 * without a restart.
 */
import type { ProducerConfig } from "../config.ts";
import {
  type KafkaProducer,
  type OutgoingRecord,
  openProducer,
  type PartitionState,
  type ProducerStatistics,
  type Told,
} from "../kafka/producer.ts";
import { RefusedRecord } from "../kafka/sender.ts";
import { longestBatchBytes, topicFault } from "../kafka/topics.ts";
import type { Logger } from "../log.ts";
import type { ProblemName } from "../outcomes.ts";

const retryMs = 1_000;
const watchMs = 1_000;

/** Why orders can't be sent just now: the outcome that they get, and in words. */
export type Obstacle = { outcome: ProblemName; detail: string };

export type SessionEvents = {
  /** A client was opened; the topic has so many partitions. */
  onOpen: (partitions: number) => void;
  /** The topic has so many partitions now, at least one; those that are more than before have leaders. */
  onPartitions: (partitions: number) => void;
  /** The client is gone for good: what has no report will get none. */
  onFatal: (reason: string) => void;
  onStatistics: (statistics: ProducerStatistics) => void;
};

export type Session = ReturnType<typeof createSession>;

/** Starts connecting at once. */
export function createSession(config: ProducerConfig, log: Logger, events: SessionEvents) {
  let kafka: KafkaProducer | undefined;
  let closed = false;
  let brokersUp = 0;
  let partitions: PartitionState[] = [];
  let obstacle: Obstacle | undefined = { outcome: "not_ready", detail: "connecting to Kafka" };

  async function connect(): Promise<void> {
    while (!closed) {
      const fault = await open().catch((error: Error) => `no connection to Kafka: ${error.message}`);
      if (fault === undefined) return;
      if (obstacle?.detail !== fault) log.warn({ fault }, "not ready, trying again");
      obstacle = { outcome: "not_ready", detail: fault };
      await Bun.sleep(retryMs);
    }
  }

  /** Opens a client and makes it current. @returns what is wrong with the topic, if anything is */
  async function open(): Promise<string | undefined> {
    const client = await openProducer(config, {
      lingerMs: config.LINGER_MS,
      deliveryTimeoutMs: config.DELIVERY_TIMEOUT_MS,
      maxBytes: longestBatchBytes(config, config.ORDERS_TOPIC),
      onStatistics: (statistics) => {
        brokersUp = statistics.brokersUp;
        events.onStatistics(statistics);
      },
      onError: (message) => {
        log.warn({ kafka: message }, "Kafka client");
        if (/all broker connections are down/i.test(message)) brokersUp = 0;
      },
    });
    try {
      partitions = await client.partitions(config.ORDERS_TOPIC, 5_000);
      const fault = await topicFault(config, config.ORDERS_TOPIC, partitions);
      if (fault !== undefined || closed) {
        await client.close(0);
        return fault;
      }
    } catch (error) {
      await client.close(0);
      throw error;
    }
    kafka = client;
    brokersUp = Math.max(brokersUp, 1);
    events.onOpen(partitions.length);
    obstacle = undefined;
    log.info({ topic: config.ORDERS_TOPIC, partitions: partitions.length }, "ready");
    void watch(client);
    return undefined;
  }

  /**
   * Keeps the partitions' state current: too few replicas in sync must be known before an order is taken. Checks the
   * topic from time to time, and at once when it has more or fewer partitions: it may have been made anew.
   */
  async function watch(client: KafkaProducer): Promise<void> {
    const current = () => client === kafka && !closed;
    let used = partitions.length;
    let trusted = used;
    let checkedMs = performance.now();
    let checking = false;

    async function check(found: PartitionState[]): Promise<void> {
      checking = true;
      checkedMs = performance.now();
      try {
        const fault = await topicFault(config, config.ORDERS_TOPIC, found);
        if (!current()) return;
        trusted = found.length;
        if (fault !== obstacle?.detail)
          log.warn({ fault }, fault ? "not ready any more" : "ready again: the topic is as demanded");
        obstacle = fault === undefined ? undefined : { outcome: "not_ready", detail: fault };
      } catch (error) {
        log.warn({ err: error }, "the topic could not be checked this time");
      } finally {
        checking = false;
      }
    }

    while (current()) {
      await Bun.sleep(watchMs);
      if (!current()) return;
      try {
        const found = await client.partitions(config.ORDERS_TOPIC, watchMs);
        // Idle connections may all have been closed: an answer counts, and asking makes a new one.
        brokersUp = Math.max(brokersUp, 1);
        if (!current()) return;
        partitions = found;
        // A new partition has no leader for a moment.
        if (found.length > 0 && (found.length < used || found.every(({ leader }) => leader >= 0))) {
          used = found.length;
          events.onPartitions(used);
        }
        const due = found.length !== trusted || performance.now() - checkedMs >= config.TOPIC_CHECK_MS;
        if (due && !checking) void check(found);
      } catch (error) {
        log.debug({ err: error }, "no metadata this time");
      }
    }
  }

  function replace(reason: string): void {
    const broken = kafka;
    if (!broken) return;
    kafka = undefined;
    obstacle = { outcome: "not_ready", detail: `replacing the Kafka client: ${reason}` };
    log.error({ reason }, "fatal error of the Kafka client: replacing it");
    events.onFatal(reason);
    broken.close(0).catch((error) => log.error({ err: error }, "closing the broken Kafka client"));
    void connect();
  }

  void connect();

  return {
    /** Why nothing can be sent; undefined when it can. */
    obstacle(): Obstacle | undefined {
      if (obstacle) return obstacle;
      if (brokersUp === 0) return { outcome: "no_brokers", detail: "no Kafka broker is reachable" };
      if (partitions.length === 0)
        return { outcome: "not_ready", detail: `the brokers do not know the topic ${config.ORDERS_TOPIC}` };
      if (partitions.every(({ inSyncReplicas }) => inSyncReplicas < config.MIN_INSYNC_REPLICAS))
        return {
          outcome: "too_few_replicas",
          detail: `no partition has ${config.MIN_INSYNC_REPLICAS} replicas in sync`,
        };
      return undefined;
    },

    /**
     * Sends records; their reports follow, unless the client is replaced first: when all that was refused has been told,
     * if it failed.
     */
    produceAll(records: readonly OutgoingRecord[], told: Told): void {
      if (!kafka) {
        const refused = new RefusedRecord("the Kafka client is being replaced", "client failed");
        for (const n of records.keys()) told.onRefused(n, refused);
        return;
      }
      let failure: string | undefined;
      kafka.produceAll(records, {
        ...told,
        onRefused(n, refused) {
          if (refused.reason === "client failed") failure = refused.message;
          told.onRefused(n, refused);
        },
      });
      if (failure !== undefined) replace(failure);
    },

    /** Opens no more clients, and waits until every record has its report, at most for so long. */
    async flush(timeoutMs: number): Promise<void> {
      closed = true;
      await kafka?.flush(timeoutMs);
    },

    /** Disconnects for good, after `flush`. What is unacknowledged then stays unknown. */
    async close(): Promise<void> {
      closed = true;
      await kafka?.close(0);
    },
  };
}
