/** A member's commits on their way to the coordinator, which takes none of who is out, or of another generation. */
import type { Commit } from "../../../src/kafka/places.ts";
import { type Clocked, heard, type Random, type Time } from "../clock.ts";
import type { Habits } from "../habits.ts";
import type { Group, GroupClient } from "./group.ts";

const timeoutMs = 10_000;

export function createCommits(options: {
  random: Random;
  habits: Habits;
  time: Time;
  world: Clocked;
  clock: Clocked;
  client: GroupClient;
  group: Pick<Group, "committed" | "underWay">;
  troubles: { commits: number; late: number };
  onCommit: (commit: Commit) => void;
  broken: (what: string) => void;
  say: (what: string) => void;
}) {
  const { random, time, habits, world, clock, client, troubles, broken, say } = options;
  const { committed, underWay } = options.group;
  const { name } = client.process;
  /** Commits are read from one connection. */
  let lastAtMs = 0;
  let committing = false;
  /** The last of a partition that it heard was taken. */
  const taken = new Map<number, Commit>();

  /** At the coordinator. @throws Error in the words of librdkafka */
  function accept(generation: number, commits: readonly Commit[]): void {
    if (!client.inGroup) throw new Error("Broker: Unknown member");
    if (generation !== client.generation)
      throw new Error("Broker: Specified group generation id is not valid");
    const isTooLong = ({ metadata }: Commit) => metadata.length > habits.mostMetadata;
    for (const commit of commits) {
      if (isTooLong(commit)) continue;
      committed.set(commit.partition, commit);
      say(
        `${name} commits ${commit.partition}: ${commit.offset} of ${commit.leaderEpoch} «${commit.metadata}»`,
      );
      options.onCommit(commit);
    }
    // The others are taken, and librdkafka tells the last partition's error for all (rd_kafka_handle_OffsetCommit).
    if (commits.some(isTooLong)) throw new Error("Broker: Offset metadata string too large");
  }

  async function send(commits: readonly Commit[]): Promise<void> {
    const { generation } = client;
    const positions = new Map(client.positions);
    if (committing) broken(`${name} commits while a commit is under way`);
    if (commits.some((one) => Bun.deepEquals(taken.get(one.partition), one)))
      broken(`${name} commits what is committed`);
    if (random.chance(troubles.commits)) {
      await world.sleep(random.int(0, 100));
      // It may be taken all the same: the answer is lost.
      if (random.chance(0.3)) accept(generation, commits);
      throw new Error(
        random.pick(["Broker: Group rebalance in progress", "Broker: Coordinator not available"]),
      );
    }
    const slow = random.chance(troubles.late);
    lastAtMs = Math.max(lastAtMs + 1, time.nowMs() + random.int(0, slow ? 15_000 : habits.commitMs));
    underWay.add(commits);
    const answered = world.sleep(lastAtMs - time.nowMs()).then(async () => {
      underWay.delete(commits);
      accept(generation, commits);
      await world.sleep(random.int(0, slow ? 15_000 : habits.commitMs));
    });
    const late = world.sleep(timeoutMs).then(() => {
      throw new Error("Local: Timed out");
    });
    await Promise.race([answered, late]);
    // Where reading began anew meanwhile, it knows nothing of it any more.
    for (const one of commits)
      if (positions.get(one.partition) === client.positions.get(one.partition)) taken.set(one.partition, one);
  }

  return {
    async commit(commits: readonly Commit[]): Promise<void> {
      const answer = send(commits);
      committing = true;
      await heard(clock, answer).finally(() => {
        committing = false;
      });
    },
    /** Reading begins anew. */
    forget: (partition: number): unknown => taken.delete(partition),
  };
}
