/**
 * Deletes dead letters for good. Kafka deletes beginnings of partitions only: of each partition, the letters before
 * the first one that is to stay.
 */
import type { KafkaConfig } from "../../src/config.ts";
import type { TopicReader } from "../read-topic.ts";
import { deleteRecords } from "./delete-records.ts";
import { letterOf } from "./letters.ts";

const timeoutMs = 30_000;

/** What would be deleted: how many letters, and for each partition concerned the offset that becomes its first. */
export type Purge = { letters: number; ends: Map<number, number> };

/** Finds the letters that were given up before a time, up to the first of each partition that was not. */
export async function planPurge(reader: TopicReader, beforeMs: number): Promise<Purge> {
  const staying = new Set<number>();
  const plan: Purge = { letters: 0, ends: new Map() };
  await reader.read(reader.ranges, (record) => {
    const { partition, offset, deadAt } = letterOf(record);
    if (staying.has(partition)) return;
    if (Date.parse(deadAt) >= beforeMs) {
      staying.add(partition);
      return;
    }
    plan.letters += 1;
    plan.ends.set(partition, offset + 1);
  });
  return plan;
}

/** Deletes what was planned. @throws Error with the brokers' words */
export const purge = (config: KafkaConfig, { ends }: Purge): Promise<void> =>
  deleteRecords(config, config.DEAD_TOPIC, ends, timeoutMs);
