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

/** How a log begins; `longest`: in place of one that was so long, of which only epochs and timestamps tell. */
type Beginning = { first: number; epoch: number; longest: number };

export function createLog(topicId: string, partition: number, begins: Beginning) {
  const { first, longest: before } = begins;
  const { epoch, endOf, ...epochs } = createEpochs(begins);
  const isReplacement = before > 0;
  let records: Stored[] = [];
  let [start, end, appended] = [first, first, 0];
  let [longest, longestEver, lostFrom] = [before, before, isReplacement ? first : Number.POSITIVE_INFINITY];
  let [down, gaps, wasLost, wasCut] = [false, false, isReplacement, false];
  /** Its brokers are away for a while. @returns how it ends */
  function away(): () => void {
    down = true;
    return () => {
      down = false;
    };
  }
  function shorten(to: number, nextEpoch: number): void {
    longestEver = Math.max(longestEver, end);
    end = Math.max(start, Math.min(end, to));
    records = records.filter(({ offset }) => offset < end);
    epochs.begin(nextEpoch, end);
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
    isReplacement,
    /** How long it ever was, or the one before it: nobody's place is beyond. */
    longestEver: () => Math.max(longestEver, end),
    /** Whether it ever lost its end; and whether in the same epoch: what was finished may come again when that is noticed. */
    wasCut: () => wasCut || wasLost,
    wasLost: () => wasLost,
    /** Up to there nothing was lost in the same epoch. */
    intactTo: () => Math.min(end, lostFrom),
    /** Another leader, which lacks what lies from `to` on. */
    cut(to: number): void {
      wasCut ||= to < end;
      shorten(to, epoch() + 1);
      // The later epoch tells of what was lost before, but nobody who comes from another log.
      if (!isReplacement) [longest, lostFrom] = [0, Number.POSITIVE_INFINITY];
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
    endOf: (asked: number): number | undefined => endOf(asked, end),
  };
}

/** The leaders' epochs of a log, and where each of them begins. */
function createEpochs({ first, epoch }: Beginning) {
  let epochs = [{ epoch, start: first }];
  const newest = () => (epochs.at(-1) as { epoch: number }).epoch;
  return {
    epoch: newest,
    /** From there on; what later ones there were is lost. */
    begin(next: number, start: number): void {
      epochs = epochs.filter((one) => one.start < start);
      if (epochs.at(-1)?.epoch !== next) epochs.push({ epoch: next, start });
    },
    /**
     * Where an epoch ends (OffsetForLeaderEpoch, KIP-320): the first offset of a later one, or of the newest the log's end;
     * undefined: it has had none as late (LeaderEpochFileCache.endOffsetFor).
     */
    endOf(asked: number, end: number): number | undefined {
      const later = epochs.find((one) => one.epoch > asked);
      return later?.start ?? (asked === newest() ? end : undefined);
    },
  };
}
