/** Where a member's client reads on in its partitions, and which of them are paused. */
import { topicOf } from "../../../src/handling/offsets.ts";
import type { CommittedOffset, Start } from "../../../src/kafka/places.ts";
import type { GroupClient } from "./group.ts";
import type { Topic } from "./topic.ts";

export function createPositions(options: {
  client: GroupClient;
  topic: Topic;
  committed: ReadonlyMap<number, CommittedOffset>;
  nowMs: () => number;
  onRead: (partition: number) => void;
  broken: (what: string) => void;
  say: (what: string) => void;
}) {
  const { client, topic, committed, broken, say } = options;
  const { name } = client.process;
  /** A pause outlives the assignment. */
  const paused = new Set<number>();

  /** From there on, whatever was read before. */
  function read({ partition, offset, leaderEpoch }: Start): void {
    const from = offset === "beginning" ? topic.logOf(partition).start() : offset;
    say(`${name} begins ${partition} at ${from} of ${leaderEpoch}`);
    options.onRead(partition);
    client.positions.set(partition, {
      next: from,
      epoch: leaderEpoch,
      validated: -1,
      paused: paused.has(partition),
      sinceMs: options.nowMs(),
      topicId: client.topicId,
      fetched: [],
    });
  }

  return {
    read,
    /** A new owner begins where the group is. */
    begin(start: Start): void {
      const { partition, offset, leaderEpoch } = start;
      const group = committed.get(partition);
      // Who was frozen may have asked before it lost its session.
      const isKnown = client.inGroup && group && topicOf(group) === client.topicId;
      if (isKnown && (offset !== group.offset || leaderEpoch !== group.leaderEpoch))
        broken(`${name} begins ${partition} at ${offset}, and the group is at ${group.offset}`);
      read(start);
    },
    setPaused(partitions: readonly number[], to: boolean): void {
      for (const partition of partitions) {
        if (to) paused.add(partition);
        else paused.delete(partition);
        const position = client.positions.get(partition);
        // What was fetched is given up, and fetched again.
        if (position) Object.assign(position, { paused: to, fetched: [] });
      }
    },
  };
}
