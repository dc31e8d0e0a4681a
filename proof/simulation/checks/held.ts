/** What one process has, as its calls tell: the records that it was given, and what it does with them. */
import type { Entry } from "../../../src/ledger/ledger.ts";
import type { Stored } from "../kafka/log.ts";

export type Held = ReturnType<typeof createHeld>;

export function createHeld(nowMs: () => number, isInLog: (record: Stored) => boolean) {
  /** Whether it has heard that a record is recorded. Unjudged: what is read again, or was when something before it was. */
  const given = new Map<Stored, "waits" | "recorded" | "unjudged">();
  const givenAtMs = new Map<Stored, number>();
  const isAt =
    ({ order, partition, offset }: Entry) =>
    (one: Stored): boolean =>
      one.offset === offset && one.partition === partition && one.order?.id === order.id;

  return {
    given,
    givenAtMs,
    /** Records whose bytes it copied out of their poll's. */
    copied: new Set<Stored>(),
    letters: new Set<Stored>(),
    /** Since when partitions are to be given up. */
    demandedAtMs: new Map<number, number>(),
    transactions: new Set<{ entries: readonly Entry[]; sinceMs: number }>(),
    /** @param counts whether it may take it on: it is not about to lose the partition, nor takes the log for another one */
    take(record: Stored, counts: boolean): void {
      if (!given.has(record)) givenAtMs.set(record, nowMs());
      given.set(record, counts && !given.has(record) ? "waits" : "unjudged");
      for (const one of given.keys())
        if (one.partition === record.partition && one.offset > record.offset) given.set(one, "unjudged");
    },
    /** Where an entry comes from. Unknown where it had the same order at the same place of a log that is no more. */
    recordOf(entry: Entry): Stored | undefined {
      const [record, other] = given.keys().filter(isAt(entry)).take(2);
      return record && !other && isInLog(record) ? record : undefined;
    },
  };
}
