/**
 * A Kafka producer that is always either usable or being replaced: it connects in the background, never gives up, refuses
 * a topic for as long as it is too weak, and makes a new client after a fatal error.
 */
import type { ProducerConfig } from "../config.ts";
import type { OutgoingRecord } from "../kafka/outgoing.ts";
import {
  type KafkaProducer,
  openProducer,
  type PartitionState,
  type ProducerStatistics,
  type Told,
} from "../kafka/producer.ts";
import type { RefusedRecord } from "../kafka/sender.ts";
import { longestBatchBytes, topicFault } from "../kafka/topics.ts";
import { OutcomeError } from "../outcomes.ts";
import type { Logger } from "../runtime/log.ts";

const retryMs = 1_000;
const watchMs = 1_000;

const notReady = (detail: string) => new OutcomeError("not_ready", detail);

/** Starts connecting at once. */
export function createSession(
  config: ProducerConfig,
  log: Logger,
  events: {
    /** A client was opened; the topic has so many partitions. */
    onOpen: (partitions: number) => void;
    /** The topic has so many partitions now, at least one; those that are more than before have leaders. */
    onPartitions: (partitions: number) => void;
    /** The client is gone for good: what has no report will get none. */
    onFatal: (reason: string) => void;
    onStatistics: (statistics: ProducerStatistics) => void;
  },
) {
  const { ORDERS_TOPIC: topic, MIN_INSYNC_REPLICAS: leastReplicas } = config;
  let kafka: KafkaProducer | undefined;
  let closed = false;
  let brokersUp = 0;
  let partitions: PartitionState[] = [];
  let obstacle: OutcomeError | undefined = notReady("connecting to Kafka");

  async function connect(): Promise<void> {
    while (!closed) {
      const fault = await open().catch((error: Error) => `no connection to Kafka: ${error.message}`);
      if (fault === undefined) return;
      tell(fault);
      await Bun.sleep(retryMs);
    }
  }

  /** From now on nothing can be sent for this reason; or it can. */
  function tell(fault?: string): void {
    if (fault !== undefined && fault !== obstacle?.message) log.warn({ fault }, "not ready");
    if (fault === undefined && obstacle) log.info({ topic, partitions: partitions.length }, "ready");
    obstacle = fault === undefined ? undefined : notReady(fault);
  }

  /** Opens a client and makes it current. @returns what is wrong with the topic, if anything is */
  async function open(): Promise<string | undefined> {
    const client = await openProducer(config, {
      lingerMs: config.LINGER_MS,
      deliveryTimeoutMs: config.DELIVERY_TIMEOUT_MS,
      maxBytes: longestBatchBytes(config, topic),
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
      partitions = await client.partitions(topic, 5_000);
      const fault = await topicFault(config, topic, partitions);
      if (fault === undefined && !closed) kafka = client;
      else return fault;
    } finally {
      if (kafka !== client) await client.close(0);
    }
    brokersUp = Math.max(brokersUp, 1);
    events.onOpen(partitions.length);
    tell();
    void watch(client);
    return undefined;
  }

  /**
   * Keeps the partitions' state current, since too few replicas in sync must be known before an order is taken. Checks the
   * topic from time to time, and when its partitions are more or fewer: it may have been made anew.
   */
  async function watch(client: KafkaProducer): Promise<void> {
    const current = () => client === kafka && !closed;
    let used = partitions.length;
    let trusted = used;
    let checkedMs = performance.now();
    let checking = false;
    for (await Bun.sleep(watchMs); current(); await Bun.sleep(watchMs))
      try {
        const found = await client.partitions(topic, watchMs);
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
        if (!due || checking) continue;
        checking = true;
        checkedMs = performance.now();
        void topicFault(config, topic, found)
          .then((fault) => {
            if (!current()) return;
            trusted = found.length;
            tell(fault);
          })
          .catch((error) => log.warn({ err: error }, "the topic could not be checked this time"))
          .finally(() => {
            checking = false;
          });
      } catch (error) {
        log.debug({ err: error }, "no metadata this time");
      }
  }

  function replace(broken: KafkaProducer, reason: string): void {
    kafka = undefined;
    obstacle = notReady(`replacing the Kafka client: ${reason}`);
    log.error({ reason }, "fatal error of the Kafka client: replacing it");
    events.onFatal(reason);
    broken.close(0).catch((error) => log.error({ err: error }, "closing the broken Kafka client"));
    void connect();
  }

  void connect();

  return {
    /** Why nothing can be sent; undefined when it can. */
    obstacle(): OutcomeError | undefined {
      if (obstacle) return obstacle;
      if (brokersUp === 0) return new OutcomeError("no_brokers", "no Kafka broker is reachable");
      if (partitions.length === 0) return notReady(`the brokers do not know the topic ${topic}`);
      if (partitions.every(({ inSyncReplicas }) => inSyncReplicas < leastReplicas))
        return new OutcomeError("too_few_replicas", `no partition has ${leastReplicas} replicas in sync`);
      return undefined;
    },

    /**
     * Sends records; their reports follow, unless the client is replaced first.
     * @param told.onRefused what was not sent, for certain, and why; called before a client that failed is replaced
     */
    produceAll(
      records: readonly OutgoingRecord[],
      told: Pick<Told, "onReport"> & { onRefused: (n: number, why: OutcomeError) => void },
    ): void {
      const client = kafka;
      if (!client) {
        for (const n of records.keys()) told.onRefused(n, beingReplaced());
        return;
      }
      let failure: string | undefined;
      client.produceAll(records, {
        onReport: told.onReport,
        onRefused(n, refused) {
          if (refused.reason === "client failed") failure = refused.message;
          told.onRefused(n, refusalOf(refused));
        },
      });
      if (failure !== undefined && client === kafka) replace(client, failure);
    },

    /** Opens no more clients, and waits until every record has its report, at most for so long. */
    async flush(timeoutMs: number): Promise<void> {
      closed = true;
      await kafka?.flush(timeoutMs);
    },

    /** Disconnects for good, after `flush`. What is unacknowledged then stays unknown. */
    close: async (): Promise<void> => kafka?.close(0),
  };
}

const beingReplaced = () => notReady("the Kafka client is being replaced");

function refusalOf({ reason, message }: RefusedRecord): OutcomeError {
  if (reason === "queue full") return new OutcomeError("queue_full", "the queue to Kafka is full");
  if (reason === "client failed") return beingReplaced();
  // What an order may hold and MAX_BODY_BYTES do not agree: sent again it would not fit either.
  if (reason === "too large")
    return new OutcomeError("body_too_large", "no record may be as long as this order's");
  // For a moment after brokers came back, librdkafka may know of no such topic.
  return notReady(`the Kafka client takes no order: ${message}`);
}
