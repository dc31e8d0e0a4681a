/**
 * Where records go that can't be handled. A letter counts when it is acknowledged as an order is. Refused for its own sake it
 * goes with less and less in it; one that can't be sent at all is held, and the consumer unready, until that is healed.
 */
import type { KafkaConfig } from "../config.ts";
import type { DeliveredRecord } from "../kafka/fetched.ts";
import { openProducer } from "../kafka/producer.ts";
import { RefusedRecord } from "../kafka/sender.ts";
import { askOnce } from "../kafka/topics.ts";
import { realClock as clock } from "../runtime/clock.ts";
import type { Logger } from "../runtime/log.ts";

const [deliveryTimeoutMs, retryMs] = [10_000, 1_000];
const lookAgain = new Error("the topic was looked at too long ago");
/** By error code: too large for the client or the broker, for the topic's batch. */
const tooLarge = [10, 18];
/** And refused for what is in it, by rdkafka.h: INVALID_MSG, INVALID_MSG_SIZE, INVALID_TIMESTAMP, … */
const ofTheLetter = [...tooLarge, 2, 4, 32, 43, 87, -186];
/** Another record of the same batch was invalid (KIP-467). */
const ofAnother = -138;
/** The topic has fewer partitions than when it was opened. */
const unknownPartition = -190;

type Cause = { reason: string; attempts: number };

/** What of a record a letter leaves out, from nothing to all that can be left out; `dead.cut` tells. */
const cuts = [[], ["timestamp"], ["value", "timestamp"], ["key", "value", "headers", "timestamp"]] as const;
/** Of `cuts`: those that are tried for a record whose timestamp, or whose size, is refused. */
const [cutTimestamp, cutValue] = [1, 2];

/** A producer on a topic that was checked, and how long that keeps a record. @throws Error, and nothing is left open */
async function openLetterBox(config: KafkaConfig, log: Logger) {
  const { fault, partitions, maxBytes, retentionMs } = await askOnce(config, config.DEAD_TOPIC);
  if (fault) throw new Error(fault);
  const onError = (message: string) => log.warn({ kafka: message }, "Kafka client of the dead letters");
  const producer = await openProducer(config, { lingerMs: 5, deliveryTimeoutMs, maxBytes, onError });
  const untilMs = clock.nowMs() + config.TOPIC_CHECK_MS;
  return { ...producer, partitions: partitions.length, retentionMs, untilMs };
}

/** Why a letter was not taken. `certain`: nothing else can be at fault, such as the rest of its batch. */
type Fault = { reason: string; code: number; certain: boolean };

export type DeadLetters = ReturnType<typeof createDeadLetters>;

export function createDeadLetters(config: KafkaConfig, log: Logger) {
  let opened: ReturnType<typeof openLetterBox> | undefined;
  /** Records whose letters can't be sent for now, and why. */
  const held = new Map<DeliveredRecord, string>();
  /** Sends it once. @param cut a place in `cuts`. @returns undefined when it is acknowledged; never rejects */
  async function send(record: DeliveredRecord, cause: Cause, cut: number): Promise<Fault | undefined> {
    // Opened when it is first needed, and anew when that failed, was long ago, or its client met a fatal error.
    opened ??= openLetterBox(config, log);
    const mine = opened;
    let into: Awaited<typeof mine> | undefined;
    try {
      into = await mine;
      if (clock.nowMs() > into.untilMs) throw lookAgain;
      // An old timestamp would have the topic forget the letter soon.
      const old = record.timestampMs < clock.epochMs() - into.retentionMs / 2;
      const letter = letterOf(record, cause, old ? Math.max(cut, cutTimestamp) : cut, clock.epochMs());
      const place = { topic: config.DEAD_TOPIC, partition: record.partition % into.partitions };
      const { promise, resolve } = Promise.withResolvers<Fault | undefined>();
      into.produce({ ...letter, ...place }, ({ error: reason, code }) =>
        resolve(reason === undefined ? undefined : { reason, code, certain: false }),
      );
      return await promise;
    } catch (error) {
      const refused = error instanceof RefusedRecord ? error : undefined;
      const isStale = refused?.reason === "client failed" || refused?.code === unknownPartition;
      if (opened === mine && (!into || !refused || isStale)) {
        opened = undefined;
        into?.close(2 * deliveryTimeoutMs).catch((err) => log.warn({ err }, "closing a Kafka client failed"));
      }
      if (error === lookAgain) return send(record, cause, cut);
      return { reason: (error as Error).message, code: refused?.code ?? 0, certain: refused !== undefined };
    }
  }
  return {
    /** Sends a letter until it is acknowledged. @throws Error only when `signal` aborts first */
    async bury(record: DeliveredRecord, cause: Cause, signal: AbortSignal): Promise<void> {
      let [cut, refused] = [0, false];
      try {
        for (;;) {
          signal.throwIfAborted();
          const fault = await send(record, cause, cut);
          if (!fault) return;
          const { code, reason, certain } = fault;
          if (ofTheLetter.includes(code) && cut < cuts.length - 1) {
            // Refused with others it is tried once more as it is.
            if (certain || refused) cut = Math.max(cut + 1, tooLarge.includes(code) ? cutValue : 0);
            refused = !certain && !refused;
            log.warn({ reason, without: cuts[cut] }, "dead letter refused, sending it again");
            if (certain) continue;
          } else if (code !== ofAnother) {
            if (!held.values().some((other) => other === reason))
              log.error({ reason, topic: config.DEAD_TOPIC }, "dead letters are held, trying again");
            held.set(record, reason);
          }
          await clock.sleep(retryMs);
        }
      } finally {
        held.delete(record);
      }
    },
    unready(): string | undefined {
      const [reason] = held.values();
      return reason === undefined ? undefined : `${held.size} dead letters are held: ${reason}`;
    },
    close: async (): Promise<void> => (await opened?.catch(() => undefined))?.close(deliveryTimeoutMs),
  };
}

/** The record as it was, and after its headers ours, of which the first says how many are its. @param cut a place in `cuts` */
function letterOf(record: DeliveredRecord, { reason, attempts }: Cause, cut: number, at: number) {
  const { key, value, timestampMs, topic, partition, offset } = record;
  const left = new Set<string>(cuts[cut]);
  const kept = left.has("headers") ? [] : record.headers;
  const ours = {
    "dead.headers": kept.length,
    "dead.reason": reason,
    "dead.attempts": attempts,
    "dead.topic": topic,
    "dead.partition": partition,
    "dead.offset": offset,
    "dead.timestamp": timestampMs,
    "dead.at": new Date(at).toISOString(),
    ...(left.size > 0 && { "dead.cut": [...left].join() }),
    ...(left.has("value") && {
      "dead.sha256": Bun.CryptoHasher.hash("sha256", value ?? "", "hex"),
      "dead.bytes": value?.length ?? 0,
    }),
  };
  return {
    key: left.has("key") ? null : key,
    value: left.has("value") ? null : value,
    ...(!left.has("timestamp") && timestampMs > 0 && { timestampMs }),
    headers: [...kept, ...Object.entries(ours).map(([name, text]) => ({ [name]: String(text) }))],
  };
}
