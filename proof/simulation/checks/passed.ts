/** What must hold when nothing is wrong any more: whoever takes a partition on is given nothing that the group has passed. */
import type { CommittedOffset } from "../../../src/kafka/places.ts";
import type { Process } from "../clock.ts";
import type { Log, Stored } from "../kafka/log.ts";

export function createPassed(broken: (what: string) => void) {
  const passed = new Set<Stored>();
  /** Who was there before: one that lost its session reads on until it hears of it. */
  const others = new Set<Process>();
  return {
    /** From now on it holds, of all that is read. @param processes that are there */
    settled(
      logs: readonly Log[],
      committed: ReadonlyMap<number, CommittedOffset>,
      processes: Iterable<Process>,
    ): void {
      for (const process of processes) others.add(process);
      for (const log of logs) {
        const { offset } = committed.get(log.partition) ?? { offset: 0 };
        // A cut may be noticed only with the next record; one in the same epoch has what lies before it read again, too.
        const isSure = offset <= log.end() && (!log.wasLost() || log.isReplacement);
        for (const record of log.records()) if (isSure && record.offset < offset) passed.add(record);
      }
    },
    delivered(process: Process, record: Stored): void {
      if (passed.has(record) && !others.has(process))
        broken(`${process.name} is given ${record.key}, which the group has passed`);
    },
  };
}
