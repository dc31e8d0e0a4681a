/** Where a member's client reads on in its partitions, and which of them are paused. */
import { topicOf } from "../../../src/handling/offsets.ts";
import type { CommittedOffset, Start } from "../../../src/kafka/places.ts";
import type { Random } from "../clock.ts";
import type { Habits } from "../habits.ts";
import type { GroupClient } from "./group.ts";
import type { Topic } from "./topic.ts";

export function createPositions(options: {
  random: Random;
  habits: Habits;
  client: GroupClient;
  topic: Topic;
  committed: ReadonlyMap<number, CommittedOffset>;
  nowMs: () => number;
  onRead: (partition: number) => void;
  broken: (what: string) => void;
  say: (what: string) => void;
}) {
  const { random, client, topic, committed, broken, say } = options;
  const { name } = client.process;
  /** A pause outlives the assignment. */
  const paused = new Set<number>();

  /** From there on, whatever was read before. */
  function read({ partition, offset, leaderEpoch }: Start, validated = -1, sought = true): void {
    const from = offset === "beginning" ? topic.logOf(partition).start() : offset;
    say(`${name} begins ${partition} at ${from} of ${leaderEpoch}`);
    options.onRead(partition);
    client.positions.set(partition, {
      next: from,
      from,
      atOldest: offset === "beginning",
      epoch: leaderEpoch,
      validated,
      sought: offset === "beginning" || sought,
      paused: paused.has(partition),
      sinceMs: options.nowMs(),
      topicId: client.topicId,
      fetched: [],
    });
  }

  return {
    /** Back in a log: where nothing was lost, nothing says so, whatever the timestamps are. */
    rewind(start: Start): void {
      const { offset, partition } = start;
      const { next, from } = client.positions.get(partition) ?? { next: 0, from: 0 };
      const isBack = offset !== "beginning" && offset < next && offset !== from;
      if (isBack && !topic.wasRemoved() && !topic.logOf(partition).wasCut())
        broken(`${name} reads ${partition} again, of which nothing was lost`);
      read(start);
    },
    /** A new owner begins where the group is. */
    begin(start: Start): void {
      const { partition, offset, leaderEpoch } = start;
      const group = committed.get(partition);
      // Who was frozen may have asked before it lost its session.
      const isOfTopic = (commit: CommittedOffset) =>
        options.habits.tellsIds ? topicOf(commit) === client.topicId : !topic.wasRemoved();
      const isKnown = client.inGroup && group && isOfTopic(group);
      if (isKnown && (offset !== group.offset || leaderEpoch !== group.leaderEpoch))
        broken(`${name} begins ${partition} at ${offset}, and the group is at ${group.offset}`);
      // It knows the leader's epoch as a rule. Then librdkafka compares nothing: only a seek does, and a later epoch.
      read(start, random.chance(0.8) ? topic.logOf(partition).epoch() : -1, false);
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
