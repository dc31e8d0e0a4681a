/**
 * The commit rule for one partition, as long as this consumer owns it: the committed offset is the one after the
 * contiguous prefix of finished records. It never passes an unfinished record and never goes back, whatever order
 * the records finish in. Pure: it knows neither Kafka nor time.
 */

/** A record's place in its partition. */
export type Slot = { readonly offset: number; finished: boolean };

export type OffsetTracker = ReturnType<typeof createOffsetTracker>;

/** A tracker for one ownership of one partition; a new ownership needs a new one. */
export function createOffsetTracker() {
  let slots: Slot[] = [];
  let head = 0;
  let newest = -1;
  let newestBegun = -1;
  let next: number | undefined;

  return {
    /** Takes a record on; undefined when it, or one behind it, was taken on already (a repeated fetch). */
    add(offset: number): Slot | undefined {
      if (offset <= newest) return undefined;
      newest = offset;
      const slot = { offset, finished: false };
      slots.push(slot);
      return slot;
    },
    /** The record's handling begins. */
    begin(slot: Slot): void {
      newestBegun = Math.max(newestBegun, slot.offset);
    },
    /** The newest record whose handling has begun; -1: none. */
    newestBegun: (): number => newestBegun,
    /** Whether a commit would not cover all that was begun: something before it is not finished. */
    hasGap: (): boolean => newestBegun >= (next ?? 0),
    /** The record is done with for good: its effect or its dead letter is safe. */
    finish(slot: Slot): void {
      slot.finished = true;
      for (let first = slots[head]; first?.finished; first = slots[head]) {
        next = first.offset + 1;
        head += 1;
      }
      if (head > 1_024 && head * 2 > slots.length) {
        slots = slots.slice(head);
        head = 0;
      }
    },
    /** The offset to commit; undefined while no prefix is finished. */
    committable: (): number | undefined => next,
    /** The offset after the newest record taken on; undefined before the first. */
    position: (): number | undefined => (newest < 0 ? undefined : newest + 1),
    /** Records taken on and not yet covered by `committable`. */
    uncovered: (): number => slots.length - head,
  };
}
