/**
 * Where records go that can't be handled: the dead-letter topic. A letter counts only when Kafka acknowledged it, on as
 * many replicas as an order. Each ends by itself: one that is refused for its own sake goes with less and less in it, as
 * a stub in the end; one that can't be sent at all is held, and the consumer unready, until that is healed. They are sent
 * side by side: as many as the consumer has in hand, which is bounded.
 */
import { type Clock, realClock } from "../clock.ts";
import type { KafkaConfig } from "../config.ts";
import type { DeliveredRecord } from "../kafka/fetched.ts";
import { type KafkaProducer, openProducer } from "../kafka/producer.ts";
import { RefusedRecord } from "../kafka/sender.ts";
import { topicFault, topicLimits } from "../kafka/topics.ts";
import type { Logger } from "../log.ts";
import { type Cause, cuts, cutTimestamp, cutValue, letterOf } from "./letter.ts";

const deliveryTimeoutMs = 10_000;
const lingerMs = 5;
const retryMs = 1_000;

/** By error code: too large for the client or the broker, for the topic's batch. */
const tooLarge = [10, 18];
/** And refused for what is in it, by rdkafka.h: INVALID_MSG, INVALID_MSG_SIZE, INVALID_TIMESTAMP, … */
const ofTheLetter = [...tooLarge, 2, 4, 32, 43, 87, -186];
/** Another record of the same batch was invalid (KIP-467). */
const ofAnother = -138;

/** Where letters are put: a producer on a dead-letter topic that was checked. */
export type LetterBox = Pick<KafkaProducer, "produce" | "close"> & {
  partitions: number;
  /** How long the topic keeps a record, from its timestamp on. */
  retentionMs: number;
};

/** @throws Error when no broker answers, or the topic is not there or too weak; nothing is left open */
export async function openLetterBox(config: KafkaConfig, log: Logger): Promise<LetterBox> {
  const { maxBytes, retentionMs } = await topicLimits(config, config.DEAD_TOPIC);
  const onError = (message: string) => log.warn({ kafka: message }, "Kafka client of the dead letters");
  const producer = await openProducer(config, { lingerMs, deliveryTimeoutMs, maxBytes, onError });
  try {
    const found = await producer.partitions(config.DEAD_TOPIC, deliveryTimeoutMs);
    const fault = await topicFault(config, config.DEAD_TOPIC, found);
    if (fault) throw new Error(fault);
    return { ...producer, partitions: found.length, retentionMs };
  } catch (error) {
    await producer.close(0);
    throw error;
  }
}

/** Why a letter was not taken. `certain`: nothing else can be at fault, such as the rest of its batch. */
type Fault = { reason: string; code: number; certain: boolean };

type Parts = { log: Logger; clock?: Clock; open?: () => Promise<LetterBox> };

export type DeadLetters = ReturnType<typeof createDeadLetters>;

export function createDeadLetters(config: KafkaConfig, parts: Parts) {
  const { log, clock = realClock } = parts;
  const sender = createLetterSender(config, parts);
  /** Letters that can't be sent for now, and why. */
  const held = new Map<object, string>();
  let said: string | undefined;

  function hold(letter: object, reason: string): void {
    held.set(letter, reason);
    if (said !== reason)
      log.error({ reason, topic: config.DEAD_TOPIC }, "dead letters are held, trying again");
    said = reason;
  }

  return {
    /** Sends a letter until it is acknowledged. @throws Error only when `signal` aborts first */
    async bury(record: DeliveredRecord, cause: Cause, signal: AbortSignal): Promise<void> {
      const letter = {};
      let cut = 0;
      let refused = false;
      try {
        for (;;) {
          signal.throwIfAborted();
          const fault = await sender.send(record, cause, cut);
          if (!fault) return;
          const { code, reason, certain } = fault;
          if (ofTheLetter.includes(code) && cut < cuts.length - 1) {
            // Refused with others it is tried once more as it is.
            if (certain || refused) cut = Math.max(cut + 1, tooLarge.includes(code) ? cutValue : 0);
            refused = !certain && !refused;
            log.warn({ reason, without: cuts[cut] }, "dead letter refused, sending it again");
            if (certain) continue;
          } else if (code !== ofAnother) hold(letter, reason);
          await clock.sleep(retryMs);
        }
      } finally {
        if (held.delete(letter) && held.size === 0) said = undefined;
      }
    },
    /** Why letters are held, if any are. */
    unready(): string | undefined {
      const [reason] = held.values();
      return reason === undefined ? undefined : `${held.size} dead letters are held: ${reason}`;
    },
    close: sender.close,
  };
}

/** Opens a box when it is first needed, and a new one when its client met a fatal error. */
function createLetterSender(config: KafkaConfig, { log, clock = realClock, open }: Parts) {
  let opened: Promise<LetterBox> | undefined;
  let broken: LetterBox | undefined;

  async function box(): Promise<LetterBox> {
    opened ??= open?.() ?? openLetterBox(config, log);
    const mine = opened;
    try {
      return await mine;
    } catch (error) {
      if (opened === mine) opened = undefined;
      throw error;
    }
  }

  function replace(box: LetterBox): void {
    if (box === broken) return;
    broken = box;
    opened = undefined;
    // What is in flight there has its reports first.
    box
      .close(2 * deliveryTimeoutMs)
      .catch((error) => log.warn({ err: error }, "closing a Kafka client failed"));
  }

  return {
    /** @param cut a place in `cuts`. @returns undefined when it is acknowledged; never rejects */
    async send(record: DeliveredRecord, cause: Cause, cut: number): Promise<Fault | undefined> {
      const { promise, resolve } = Promise.withResolvers<Fault | undefined>();
      try {
        const into = await box();
        // An old timestamp would have the topic forget the letter soon.
        const old = record.timestampMs < clock.epochMs() - into.retentionMs / 2;
        const letter = letterOf(record, cause, old ? Math.max(cut, cutTimestamp) : cut, clock.epochMs());
        const place = { topic: config.DEAD_TOPIC, partition: record.partition % into.partitions };
        try {
          into.produce({ ...letter, ...place }, ({ error: reason, code }) =>
            resolve(reason === undefined ? undefined : { reason, code, certain: false }),
          );
        } catch (error) {
          if (!(error instanceof RefusedRecord) || error.reason === "client failed") replace(into);
          throw error;
        }
      } catch (error) {
        const certain = error instanceof RefusedRecord;
        const reason = error instanceof Error ? error.message : "not told";
        resolve({ reason, code: certain ? error.code : 0, certain });
      }
      return promise;
    },
    async close(): Promise<void> {
      await (await opened?.catch(() => undefined))?.close(deliveryTimeoutMs);
    },
  };
}
