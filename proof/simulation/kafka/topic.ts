/** The topic as the brokers have it: its partitions' logs, and that it may be deleted and made anew under another id. */
import type { Habits } from "../habits.ts";
import { createLog, type Log } from "./log.ts";

export type Topic = ReturnType<typeof createTopic>;

export function createTopic(habits: Pick<Habits, "partitions" | "firstOffset" | "firstEpoch" | "tellsIds">) {
  const { partitions, firstOffset: first, firstEpoch: epoch, tellsIds } = habits;
  let made = 0;
  let id = `topic${made}`;
  let away = false;
  let logs = Array.from({ length: partitions }, (_, partition) =>
    createLog(id, partition, { first, epoch, longest: 0 }),
  );
  const logOf = (partition: number): Log => logs[partition] as Log;

  return {
    id: () => id,
    /** As the core writes it into a commit. */
    toldId: () => (tellsIds ? id : "-"),
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
      logs = logs.map((log, partition) =>
        createLog(id, partition, { first: 0, epoch: 0, longest: tellsIds ? 0 : log.longestEver() }),
      );
      return () => {
        away = false;
      };
    },
  };
}
