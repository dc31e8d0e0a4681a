/** The partitions that this consumer owns just now, each with its commit rule and the work it still holds. */
import type { CommittedOffset } from "../kafka/places.ts";
import { createOffsetTracker, type InHand, type OffsetTracker } from "./offsets.ts";

/** One ownership of a partition, from its assignment to its revocation. */
export type OwnedPartition = {
  readonly partition: number;
  /** Of the topic as it is now: another one when that was made anew. */
  offsets: OffsetTracker;
  readonly inHand: InHand;
  /** It is to be given up: nothing more is taken on, and nothing more is begun. */
  leaving: boolean;
  /** Aborts when the partition is taken away: what has not begun is dropped, what runs may end. */
  readonly revoked: AbortController;
  /** Aborts when what runs may not end: handlers are told to stop. */
  readonly stopped: AbortController;
  /** Records whose handling, or whose dead letter, has begun and not ended. */
  running: number;
  paused: boolean;
  /** It has to be read from its beginning, which could not be done yet: until then nothing is taken on. */
  rewinding: boolean;
  /** The group gave the partition to another member before this one's last commit: there is no point in trying. */
  lost: boolean;
};

/** An ownership that begins now. @param start, topicId as a tracker's */
export function ownPartition(
  partition: number,
  start: CommittedOffset | undefined,
  topicId: string,
): OwnedPartition {
  const inHand: InHand = { records: 0, bytes: 0 };
  return {
    partition,
    offsets: createOffsetTracker(start, topicId, inHand),
    inHand,
    leaving: false,
    revoked: new AbortController(),
    stopped: new AbortController(),
    running: 0,
    paused: false,
    rewinding: false,
    lost: false,
  };
}
