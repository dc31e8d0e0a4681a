/** What a member's client asks the brokers beside records. An answer takes a while, and may not come. */
import type { CommittedOffset } from "../../../src/kafka/places.ts";
import { type Clocked, heard, type Random } from "../clock.ts";
import type { Habits } from "../habits.ts";
import type { Topic } from "./topic.ts";

export function createLookUps(options: {
  random: Random;
  habits: Habits;
  world: Clocked;
  clock: Clocked;
  topic: Topic;
  committed: ReadonlyMap<number, CommittedOffset>;
  troubles: { lookUps: number };
}) {
  const { random, habits, world, clock, topic, committed, troubles } = options;

  async function answer<T>(timeoutMs: number, what: () => T): Promise<T> {
    if (random.chance(troubles.lookUps)) {
      await world.sleep(random.chance(0.5) ? timeoutMs : 5);
      throw new Error("Local: Timed out");
    }
    const there = random.int(0, habits.lookUpMs);
    const back = habits.staleAnswers ? random.int(0, habits.lookUpMs) : 0;
    await world.sleep(there);
    const said = what();
    await world.sleep(back);
    return said;
  }

  return {
    committed: (partitions: readonly number[], timeoutMs: number): Promise<Map<number, CommittedOffset>> => {
      const those = () => [...committed].filter(([partition]) => partitions.includes(partition));
      return heard(
        clock,
        answer(timeoutMs, () => new Map(those())),
      );
    },
    offsetsOf: (
      timestampsMs: ReadonlyMap<number, number>,
      timeoutMs: number,
    ): Promise<Map<number, number>> => {
      const found = () => {
        if (topic.isAway() || timestampsMs.keys().some(topic.isOut)) throw new Error("Local: Timed out");
        return new Map(
          [...timestampsMs].map(([partition, ms]) => [partition, topic.logOf(partition).offsetOf(ms)]),
        );
      };
      return heard(clock, answer(timeoutMs, found));
    },
  };
}
