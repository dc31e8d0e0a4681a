/** For how long the ledger must know an order: as long as a record of it can come again. */
import type { ConsumerConfig } from "../config.ts";
import { topicLimits } from "../kafka/topics.ts";

const dayMs = 86_400_000;
const marginMs = 30 * dayMs;

/**
 * A record stays readable for its topic's retention.ms after the last one of its segment, which is written to for
 * segment.ms. A dead letter can be put back until it is gone, and what was put back can be read again. A day is for the
 * brokers' own pace, and for the ledger's notes of what came once more.
 * Source: Kafka's documentation, «Topic Configs».
 * @returns ms; Infinity where a topic keeps its records for ever, or does not tell
 * @throws Error that says what to change where LEDGER_RETENTION_DAYS is less; or when the brokers can't be asked
 */
export async function ledgerRetentionMs(config: ConsumerConfig): Promise<number> {
  const { ORDERS_TOPIC, DEAD_TOPIC, LEDGER_RETENTION_DAYS: days } = config;
  const limits = await Promise.all([ORDERS_TOPIC, DEAD_TOPIC].map((topic) => topicLimits(config, topic)));
  const neededMs = limits.reduce((sum, { retentionMs, segmentMs }) => sum + retentionMs + segmentMs, dayMs);
  if (days === undefined || neededMs === Infinity) return neededMs + marginMs;
  if (days * dayMs < neededMs)
    throw new Error(
      `LEDGER_RETENTION_DAYS=${days} is less than the ${Math.ceil(neededMs / dayMs)} days for which an order can come again (retention.ms and segment.ms of ${ORDERS_TOPIC} and ${DEAD_TOPIC}): raise it, or lower those`,
    );
  return days * dayMs;
}
