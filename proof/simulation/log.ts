/** The partitions' logs as the brokers have them: epochs, cuts, a topic made anew, retention, gaps. */
import type { PlacedOrder } from "../../src/wire/validation.ts";

/** A record that is, or was, in a log. Its key is its own: a dead letter is known by it. */
export type Stored = {
  readonly key: Buffer;
  readonly partition: number;
  readonly offset: number;
  readonly leaderEpoch: number;
  readonly value: Buffer;
  /** Undefined: it can't be decoded. */
  readonly order: PlacedOrder | undefined;
};

export type Log = ReturnType<typeof createLog>;

export function createLog(topicId: string, partition: number) {
  let records: Stored[] = [];
  let start = 0;
  let end = 0;
  let epochs = [{ epoch: 0, start: 0 }];
  const epoch = () => (epochs.at(-1) as { epoch: number }).epoch;

  return {
    start: () => start,
    end: () => end,
    epoch,
    records: (): readonly Stored[] => records,
    /** The records from an offset on. */
    from: (offset: number, most: number): Stored[] => {
      const at = records.findIndex((record) => record.offset >= offset);
      return at < 0 ? [] : records.slice(at, at + most);
    },
    append(order: PlacedOrder | undefined, value: Buffer): Stored {
      const key = Buffer.from(`${topicId}/${partition}/${epoch()}/${end}`);
      const stored = { key, partition, offset: end, leaderEpoch: epoch(), value, order };
      records.push(stored);
      end += 1;
      return stored;
    },
    /** Offsets that no consumer sees, as a transaction's marker. */
    gap(offsets: number): void {
      end += offsets;
    },
    /** Another leader, which lacks what lies from `to` on. */
    cut(to: number): void {
      const next = epoch() + 1;
      end = Math.max(start, Math.min(end, to));
      records = records.filter(({ offset }) => offset < end);
      epochs = [...epochs.filter((one) => one.start < end), { epoch: next, start: end }];
    },
    retain(from: number): void {
      start = Math.max(start, Math.min(from, end));
      records = records.filter(({ offset }) => offset >= start);
    },
    /** Where an epoch ends (OffsetForLeaderEpoch, KIP-320): the first offset of a later one, or the log's end. */
    endOf: (asked: number): number => epochs.find((one) => one.epoch > asked)?.start ?? end,
  };
}
