/**
 * A Kafka producer that is always either usable or being replaced: it connects in the background, never gives up, refuses
 * a topic for as long as it is too weak, and makes a new client after a fatal error.
 */
import { type OnReport, openProducer } from "../kafka/producer.ts";
import type { OutgoingRecord, RefusedRecord } from "../kafka/sender.ts";
import { askOfTopic, longestBatchBytes } from "../kafka/topics.ts";
import { OutcomeError } from "../outcomes.ts";
import type { IntakeParts } from "./metrics.ts";

const [retryMs, watchMs] = [1_000, 1_000];
/** Meanwhile the replicas in sync are not watched. */
const checkTimeoutMs = 2_000;
const refusal = (outcome: "not_ready" | "no_brokers" | "too_few_replicas", reason: string) =>
  new OutcomeError(outcome, "no order can be taken just now; the operators are told why", {}, reason);

export function createSession(
  parts: IntakeParts,
  events: {
    /** The topic has so many partitions now, at least one; those that are more than before have leaders. */
    onPartitions: (partitions: number) => void;
    /** The client is gone for good: what has no report will get none. */
    onFatal: (reason: string) => void;
  },
) {
  const { config, log } = parts;
  let connection: Awaited<ReturnType<typeof openConnection>> | undefined;
  let closed = false;
  let obstacle: OutcomeError | undefined = refusal("not_ready", "connecting to Kafka");

  async function connect(): Promise<void> {
    while (!closed) {
      const fault = await open().catch((error: Error) => `no connection to Kafka: ${error.message}`);
      if (fault === undefined) return;
      tell(fault);
      await Bun.sleep(retryMs);
    }
  }

  /** From now on nothing can be sent for this reason; or it can. */
  function tell(fault: string | undefined): void {
    if (fault !== undefined && fault !== obstacle?.reason) log.warn({ fault }, "not ready");
    if (fault === undefined && obstacle)
      log.info({ topic: config.ORDERS_TOPIC, partitions: connection?.partitions() }, "ready");
    obstacle = fault === undefined ? undefined : refusal("not_ready", fault);
  }

  /** Opens a connection and makes it current. @returns what is wrong with the topic or the client's rights, if anything is */
  async function open(): Promise<string | undefined> {
    const opened = await openConnection(parts);
    try {
      const { fault } = await opened.check();
      if (fault !== undefined || closed) return fault;
      connection = opened;
    } finally {
      if (connection !== opened) await opened.close(0);
    }
    events.onPartitions(opened.partitions());
    tell(undefined);
    void opened.watch(() => connection === opened && !closed, events.onPartitions, tell);
  }

  function replace(broken: NonNullable<typeof connection>, reason: string): void {
    connection = undefined;
    obstacle = refusal("not_ready", `replacing the Kafka client: ${reason}`);
    log.error({ reason }, "fatal error of the Kafka client: replacing it");
    events.onFatal(reason);
    broken.close(0).catch((error) => log.error({ err: error }, "closing the broken Kafka client"));
    void connect();
  }
  void connect();
  return {
    /** Why nothing can be sent; undefined when it can. */
    obstacle: (): OutcomeError | undefined => obstacle ?? connection?.obstacle(),
    /** Nothing is taken for this reason, until the topic is checked again. */
    refuse: tell,
    /** Sends records; reports follow, unless the client is replaced first. @returns those not sent, for certain: places, and why */
    produceAll(records: readonly OutgoingRecord[], onReport: OnReport): [number, OutcomeError][] {
      const used = connection;
      if (!used) return records.map((_, n) => [n, beingReplaced()]);
      const refused = used.produceAll(records, onReport);
      const failed = refused.find(([, { reason }]) => reason === "client failed")?.[1];
      // Whoever is refused here is told first.
      if (failed) queueMicrotask(() => used === connection && replace(used, failed.message));
      return refused.map(([n, why]) => [n, refusalOf(why)]);
    },
    /** Opens no more clients, and waits until every record has its report, at most for so long. */
    async flush(timeoutMs: number): Promise<void> {
      closed = true;
      await connection?.flush(timeoutMs);
    },
    /** Disconnects for good, after `flush`. What is unacknowledged then stays unknown. */
    close: async (): Promise<void> => connection?.close(0),
  };
}

/** A client, and what it knows of its brokers and of the topic. @throws Error when no broker answers */
async function openConnection({ config, log, metrics }: IntakeParts) {
  let { ORDERS_TOPIC: topic, MIN_INSYNC_REPLICAS: leastReplicas } = config;
  let partitions: Awaited<ReturnType<typeof askOfTopic>>["partitions"] = [];
  let [brokersUp, withoutIdS] = [0, 0]; // Nothing is sent without a producer's id, and no controller: no id.
  /** What Kafka's client said last of why it does not reach a broker. */
  let words: string | undefined;
  const client = await openProducer(config, {
    deliveryTimeoutMs: config.DELIVERY_TIMEOUT_MS,
    maxBytes: longestBatchBytes(config, topic),
    onStatistics(now) {
      brokersUp = now.brokersUp;
      withoutIdS = now.hasId ? 0 : withoutIdS + 1;
      metrics.brokersUp.set(brokersUp);
      metrics.queueRecords.set(now.queueRecords);
    },
    onError(message) {
      log.warn({ kafka: message }, "Kafka client");
      if (/all broker connections are down/i.test(message)) brokersUp = 0;
      else words = message;
    },
  });

  async function check(timeoutMs = 10_000) {
    const told = await askOfTopic(config, topic, client, { right: "WRITE", timeoutMs });
    ({ partitions, inSync: leastReplicas } = told);
    brokersUp = Math.max(brokersUp, 1);
    return told;
  }
  return {
    ...client,
    check,
    partitions: (): number => partitions.length,
    obstacle(): OutcomeError | undefined {
      if (brokersUp === 0)
        return refusal("no_brokers", `no Kafka broker is reachable${words ? `: ${words}` : ""}`);
      if (partitions.length === 0) return refusal("not_ready", `the brokers do not know the topic ${topic}`);
      if (partitions.every(({ isrs, replicas }) => isrs.length < Math.min(leastReplicas, replicas.length)))
        return refusal("too_few_replicas", `no partition has ${leastReplicas} replicas in sync`);
      if (withoutIdS > 2) return refusal("not_ready", "the brokers give no producer id (InitProducerId)");
    },
    /** Too few replicas in sync must be known before an order is taken; with other partitions the topic may be another one. */
    async watch(isCurrent: () => boolean, onPartitions: (n: number) => void, tell: (fault?: string) => void) {
      let used = partitions.length;
      let trusted = used;
      let checkedMs = performance.now();
      for (await Bun.sleep(watchMs); isCurrent(); await Bun.sleep(watchMs)) {
        try {
          ({ partitions } = await client.metadata(topic, watchMs));
          // Idle connections may all have been closed: an answer counts, and asking makes a new one.
          brokersUp = Math.max(brokersUp, 1);
          if (!isCurrent()) return;
          const { length } = partitions;
          // A new partition has no leader for a moment.
          if (length > 0 && (length < used || partitions.every(({ leader }) => leader >= 0))) {
            used = length;
            onPartitions(used);
          }
          if (length === trusted && performance.now() - checkedMs < config.TOPIC_CHECK_MS) continue;
          checkedMs = performance.now();
          const told = await check(checkTimeoutMs).catch((error) => {
            log.warn({ err: error }, "the topic could not be checked this time");
          });
          if (!told || !isCurrent()) continue;
          trusted = told.partitions.length;
          tell(told.fault);
        } catch (error) {
          log.debug({ err: error }, "no metadata this time");
        }
      }
    },
  };
}

const beingReplaced = () => refusal("not_ready", "the Kafka client is being replaced");

function refusalOf({ reason, message }: RefusedRecord): OutcomeError {
  if (reason === "queue full") return new OutcomeError("queue_full", "the queue to Kafka is full");
  if (reason === "client failed") return beingReplaced();
  // What an order may hold and MAX_BODY_BYTES do not agree: sent again it would not fit either.
  if (reason === "too large")
    return new OutcomeError("body_too_large", "no record may be as long as this order's");
  // For a moment after brokers came back, librdkafka may know of no such topic.
  return new OutcomeError("not_ready", "the Kafka client takes no order just now", {}, message);
}
