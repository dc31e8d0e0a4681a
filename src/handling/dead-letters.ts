/**
 * Where records go that can't be handled: the dead-letter topic, with their own bytes, key and headers, and headers
 * that say why and where from. A letter counts only when Kafka acknowledged it, on as many replicas as an order.
 */
import type { KafkaConfig } from "../config.ts";
import type { DeliveredRecord } from "../kafka/fetched.ts";
import { type KafkaProducer, type OutgoingRecord, openProducer } from "../kafka/producer.ts";
import type { Report } from "../kafka/reports.ts";
import { topicFault } from "../kafka/topics.ts";
import type { Logger } from "../log.ts";

/** Why a record is given up. */
export type Cause = { reason: string; attempts: number };

const deliveryTimeoutMs = 10_000;
const retryMs = 1_000;

export type DeadLetters = ReturnType<typeof createDeadLetters>;

/** Opens its own Kafka producer when it is first needed, and a new one after a failure. */
export function createDeadLetters(config: KafkaConfig, log: Logger) {
  let client: KafkaProducer | undefined;
  let partitions = 0;
  let tail: Promise<unknown> = Promise.resolve();

  async function open(): Promise<KafkaProducer> {
    if (!client) {
      client = await openProducer(config, {
        lingerMs: 0,
        deliveryTimeoutMs,
        onError: (message) => log.warn({ kafka: message }, "Kafka client of the dead letters"),
      });
      const found = await client.partitions(config.DEAD_TOPIC, deliveryTimeoutMs);
      const fault = await topicFault(config, config.DEAD_TOPIC, found);
      if (fault) throw new Error(fault);
      partitions = found.length;
    }
    return client;
  }

  async function send(record: DeliveredRecord, cause: Cause): Promise<void> {
    const producer = await open();
    const letter = letterOf(record, cause);
    const place = { topic: config.DEAD_TOPIC, partition: record.partition % partitions };
    const { promise: delivery, resolve } = Promise.withResolvers<Report>();
    producer.produce({ ...letter, ...place }, resolve);
    const { error } = await delivery;
    if (error !== undefined) throw new Error(error);
  }

  return {
    /** Sends a letter until it is acknowledged. @throws Error only when `signal` aborts first */
    bury(record: DeliveredRecord, cause: Cause, signal: AbortSignal): Promise<void> {
      const sent = tail.then(async () => {
        for (;;) {
          signal.throwIfAborted();
          try {
            return await send(record, cause);
          } catch (error) {
            log.error(
              { err: error, topic: config.DEAD_TOPIC },
              "dead letter not acknowledged, sending it again",
            );
            await client?.close(0);
            client = undefined;
            await Bun.sleep(retryMs);
          }
        }
      });
      tail = sent.catch(() => undefined);
      return sent;
    },
    async close(): Promise<void> {
      await client?.close(deliveryTimeoutMs);
    },
  };
}

function letterOf(
  record: DeliveredRecord,
  { reason, attempts }: Cause,
): Pick<OutgoingRecord, "key" | "value" | "headers"> {
  return {
    key: record.key,
    value: record.value,
    headers: [
      ...record.headers,
      { "dead.reason": reason },
      { "dead.attempts": String(attempts) },
      { "dead.topic": record.topic },
      { "dead.partition": String(record.partition) },
      { "dead.offset": String(record.offset) },
      { "dead.at": new Date().toISOString() },
    ],
  };
}
