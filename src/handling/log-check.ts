/**
 * Whether logs still hold what was taken from them. Brokers that all lost the end of a log and came back in the same leader
 * epoch give its offsets to other records, and once it is longer than before, a reader's position looks right (KIP-320
 * compares epochs). But the first record that is newer than all of a log up to a mark can't lie before that mark.
 */
import type { OwnershipParts } from "./ownership.ts";
import type { OwnedPartition } from "./work.ts";

/** Brokers that were down are missed for twice as long: so a mark between what was taken before and after stays. */
const intervalMs = 1_000;
const timeoutMs = 5_000;
/** From a record's timestamp to its place in the log: a delivery's longest time, and clocks that differ. */
const lateMs = 120_000;

/** @param readAgain called where a log was cut at this offset, or above it */
export function createLogCheck(
  { consumer, log, clock }: OwnershipParts,
  owned: ReadonlyMap<number, OwnedPartition>,
  readAgain: (owner: OwnedPartition, to: number) => void,
) {
  let underWay = false;
  let notBeforeMs = 0;
  /** @returns whether there may be more to check */
  async function checkOne(owner: OwnedPartition): Promise<boolean> {
    const { partition, offsets } = owner;
    const mark = owner.leaving ? undefined : offsets.unchecked();
    if (!mark) return false;
    const { offset, newestMs, from } = mark;
    const newer = await consumer.offsetOf(partition, newestMs + 1, timeoutMs);
    // Where nothing is newer, a later mark tells as much.
    const isCut = newer !== undefined && newer < offset && newer >= from;
    // What was under way when it was cut comes first, and may be older.
    const late = isCut ? await consumer.offsetOf(partition, newestMs - lateMs, timeoutMs) : undefined;
    // By now it may be somebody else's, or read again.
    if (owner.leaving || owner.offsets !== offsets || mark.offset !== offset) return false;
    if (isCut) readAgain(owner, Math.min(newer, late ?? newer));
    else offsets.checked(mark);
    return !isCut;
  }
  async function checkAll(): Promise<void> {
    underWay = true;
    for (const owner of owned.values())
      try {
        while (await checkOne(owner));
      } catch (error) {
        log.debug({ kafka: (error as Error).message }, "not known whether a log was cut, asking again");
      }
    underWay = false;
  }
  return {
    /** Marks where the logs are, and checks what was marked before. Never waits. */
    look(): void {
      if (clock.nowMs() < notBeforeMs) return;
      notBeforeMs = clock.nowMs() + intervalMs;
      for (const { offsets } of owned.values()) offsets.mark();
      if (!underWay) void checkAll();
    },
  };
}
