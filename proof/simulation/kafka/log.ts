/** The partitions' logs as the brokers have them: epochs, cuts, a topic made anew, retention, gaps. */
import type { PlacedOrder } from "../../../src/wire/validation.ts";

/** A record that is, or was, in a log. Its key is its own: a dead letter is known by it. */
export type Stored = {
  readonly key: Buffer;
  readonly partition: number;
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly timestampMs: number;
  /** In the place of one that was lost, in the same epoch: that can only be told from the timestamps, and later. */
  readonly regrown: boolean;
  readonly value: Buffer;
  /** Undefined: it can't be decoded. */
  readonly order: PlacedOrder | undefined;
};

export type Log = ReturnType<typeof createLog>;

/** @param first its first offset */
export function createLog(topicId: string, partition: number, first: number) {
  let records: Stored[] = [];
  let start = first;
  let end = first;
  let epochs = [{ epoch: 0, start: first }];
  const epoch = () => (epochs.at(-1) as { epoch: number }).epoch;
  let appended = 0;
  let [longest, lostFrom] = [0, Number.POSITIVE_INFINITY];
  let [down, gaps, wasLost, wasCut] = [false, false, false, false];
  /** Its brokers are away for a while. @returns how it ends */
  function away(): () => void {
    down = true;
    return () => {
      down = false;
    };
  }
  function shorten(to: number, nextEpoch: number): void {
    end = Math.max(start, Math.min(end, to));
    records = records.filter(({ offset }) => offset < end);
    epochs = epochs.filter((one) => one.start < end);
    if (epochs.at(-1)?.epoch !== nextEpoch) epochs.push({ epoch: nextEpoch, start: end });
  }
  return {
    partition,
    ...{ start: () => start, end: () => end, epoch, away },
    records: (): readonly Stored[] => records,
    /** The records from an offset on. */
    from: (offset: number, most: number): Stored[] => {
      const at = records.findIndex((record) => record.offset >= offset);
      return at < 0 ? [] : records.slice(at, at + most);
    },
    /** Whether its brokers are away: nothing is read or written. */
    isDown: () => down,
    append(order: PlacedOrder | undefined, value: Buffer, timestampMs: number): Stored {
      appended += 1;
      const key = Buffer.from(`${topicId}/${partition}/${epoch()}/${end}/${appended}`);
      const regrown = end < longest;
      const place = { partition, offset: end, leaderEpoch: epoch() };
      const stored = { key, ...place, timestampMs, regrown, value, order };
      records.push(stored);
      end += 1;
      return stored;
    },
    /** Offsets that no consumer sees, as a transaction's marker. */
    gap(offsets: number): void {
      // In place of what was lost nobody could tell it from the gap that a transaction leaves.
      if (wasLost) return;
      end += offsets;
      gaps = true;
    },
    hasGaps: () => gaps,
    /** Whether it ever lost its end; and whether in the same epoch: what was finished may come again when that is noticed. */
    wasCut: () => wasCut || wasLost,
    wasLost: () => wasLost,
    /** Up to there nothing was lost in the same epoch. */
    intactTo: () => Math.min(end, lostFrom),
    /** Another leader, which lacks what lies from `to` on. */
    cut(to: number): void {
      wasCut ||= to < end;
      shorten(to, epoch() + 1);
      [longest, lostFrom] = [0, Number.POSITIVE_INFINITY];
    },
    /** All brokers lose what lies from `to` on, are away for a while, and go on in the same epoch. @returns how it ends */
    lose(to: number): () => void {
      longest = Math.max(longest, end);
      shorten(to, epoch());
      [wasLost, lostFrom] = [true, Math.min(lostFrom, to)];
      return away();
    },
    /** The first that is no older (ListOffsets by time). */
    offsetOf: (timestampMs: number): number =>
      records.find((record) => record.timestampMs >= timestampMs)?.offset ?? -1,
    retain(from: number): void {
      start = Math.max(start, Math.min(from, end));
      records = records.filter(({ offset }) => offset >= start);
    },
    /** Where an epoch ends (OffsetForLeaderEpoch, KIP-320): the first offset of a later one, or the log's end. */
    endOf: (asked: number): number => epochs.find((one) => one.epoch > asked)?.start ?? end,
  };
}
