/**
 * Where records go that can't be handled: the dead-letter topic, with their own bytes, key and headers, and headers
 * that say why and where from. A letter counts only when Kafka acknowledged it, on as many replicas as an order.
 */
import { isUtf8 } from "node:buffer";
import type { KafkaConfig } from "../config.ts";
import type { DeliveredRecord } from "../kafka/consumer.ts";
import { type KafkaProducer, type OutgoingRecord, openProducer, type Report } from "../kafka/producer.ts";
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
  let report: ((report: Report) => void) | undefined;
  let tail: Promise<unknown> = Promise.resolve();

  async function open(): Promise<KafkaProducer> {
    if (!client) {
      client = await openProducer(config, {
        lingerMs: 0,
        deliveryTimeoutMs,
        onReport: (delivery) => report?.(delivery),
        onError: (message) => log.warn({ kafka: message }, "Kafka client of the dead letters"),
      });
      partitions = (await client.partitions(config.DEAD_TOPIC, deliveryTimeoutMs)).length;
    }
    return client;
  }

  async function send(record: DeliveredRecord, cause: Cause): Promise<void> {
    const producer = await open();
    // One letter at a time, so that its report needs no key to be told from others: keys may be absent or equal.
    const delivery = new Promise<Report>((resolve) => {
      report = resolve;
    });
    producer.produce({
      ...letterOf(record, cause),
      topic: config.DEAD_TOPIC,
      partition: record.partition % partitions,
    });
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
      ...record.headers.map(asText),
      { "dead.reason": reason },
      { "dead.attempts": String(attempts) },
      { "dead.topic": record.topic },
      { "dead.partition": String(record.partition) },
      { "dead.offset": String(record.offset) },
      { "dead.at": new Date().toISOString() },
    ],
  };
}

/**
 * The client sends a header's value as text that ends at a NUL. Bytes that would not survive that travel as base64,
 * under a name that says so.
 */
function asText(header: DeliveredRecord["headers"][number]): Record<string, string> {
  const [[name, value] = ["", ""]] = Object.entries(header);
  const bytes = Buffer.from(value as Buffer);
  const survives = isUtf8(bytes) && !bytes.includes(0);
  return survives ? { [name]: bytes.toString() } : { [`${name}.base64`]: bytes.toString("base64") };
}
