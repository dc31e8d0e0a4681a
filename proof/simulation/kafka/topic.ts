/** The topic as the brokers have it: its partitions' logs, and that it may be deleted and made anew under another id. */
import type { Habits } from "../habits.ts";
import { createLog, type Log } from "./log.ts";

export type Topic = ReturnType<typeof createTopic>;

export function createTopic({ partitions, firstOffset }: Pick<Habits, "partitions" | "firstOffset">) {
  let made = 0;
  let id = `topic${made}`;
  let away = false;
  let logs = fresh();
  function fresh(): Log[] {
    return Array.from({ length: partitions }, (_, partition) =>
      createLog(id, partition, made === 0 ? firstOffset : 0),
    );
  }
  const logOf = (partition: number): Log => logs[partition] as Log;

  return {
    id: () => id,
    wasRemoved: () => made > 0,
    logs: () => logs,
    logOf,
    isAway: () => away,
    /** Whether nothing of a partition is read or written: the topic is away, or the partition's brokers are. */
    isOut: (partition: number): boolean => away || logOf(partition).isDown(),
    /** Deleted, with all that is in it. @returns makes it anew */
    remove(): () => void {
      away = true;
      made += 1;
      id = `topic${made}`;
      logs = fresh();
      return () => {
        away = false;
      };
    },
  };
}
