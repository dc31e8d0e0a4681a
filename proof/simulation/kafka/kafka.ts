/**
 * A model of Kafka for the consumer's core: a group's coordinator, and of each member the client, in the type that
 * src/kafka/consumer.ts has. Where the clients of Kafka differ from what one may hope, the model does what librdkafka
 * 2.15.1 does: on a cut it reads on from the end of its epoch; an offset out of range, and an epoch that the leader has never
 * had, begin at the oldest record; and who lost its session reads on until it hears of it.
 */
import type { KafkaConsumer, Rebalance } from "../../../src/kafka/consumer.ts";
import type { Commit } from "../../../src/kafka/places.ts";
import type { Conduct, Release } from "../checks/conduct.ts";
import type { Clocked, Process, Random, Time } from "../clock.ts";
import type { Habits } from "../habits.ts";
import { createClient } from "./client.ts";
import { createGroup, type GroupClient } from "./group.ts";
import type { Stored } from "./log.ts";
import { createSimulatedReader } from "./reader.ts";
import { createTopic } from "./topic.ts";

/** What goes wrong just now. Shares are probabilities, times milliseconds. */
export type KafkaTroubles = { commits: number; late: number; lookUps: number; repeats: number };
export type Kafka = ReturnType<typeof createKafka>;

export function createKafka(options: {
  random: Random;
  time: Time;
  habits: Habits;
  topic: string;
  onCommit: (commit: Commit) => void;
  onDelivery: (process: Process, record: Stored, counts: boolean) => void;
  conduct: () => Pick<Conduct, "demanded" | "copied">;
  onLetGo: (process: Process, release: Release) => void;
  broken: (what: string) => void;
  say: (what: string) => void;
}) {
  const { random, time, habits, say } = options;
  const world = time.clockOf({ name: "kafka", alive: true, frozenUntilMs: 0 });
  const troubles: KafkaTroubles = { commits: 0, late: 0, lookUps: 0, repeats: 0 };
  const topic = createTopic(habits);
  const group = createGroup({ ...options, world });
  const { clients, committed } = group;
  const deliver = createSimulatedReader({ ...options, name: options.topic, topic, troubles });

  return {
    join(process: Process, clock: Clocked, onRebalance: (rebalance: Rebalance) => void): KafkaConsumer {
      const client: GroupClient = {
        ...{ process, generation: 0, inGroup: true, owned: new Set<number>() },
        ...{ demand: undefined, demanded: false, demandedAtMs: 0, metAtMs: 0 },
        ...{ positions: new Map(), onRebalance, topicId: topic.id(), untold: habits.untoldMs > 0 },
      };
      clients.add(client);
      const told = () => {
        client.untold = topic.isAway();
      };
      if (client.untold) world.timer(random.int(0, habits.untoldMs), told);
      world.timer(random.int(1, habits.rebalanceMs), group.balance);
      return createClient({ ...options, world, clock, client, group, topic, troubles, deliver });
    },
    troubles,
    committed,
    logs: topic.logs,
    topicId: topic.toldId,
    isAway: topic.isAway,
    commitsUnderWay: () => group.underWay.size,
    loseSession: (process: Process): void => {
      for (const client of clients)
        if (client.process === process && client.inGroup) group.loseSession(client);
    },
    move: group.move,
    /** The topic is deleted, and with it, where the coordinator hears of it, what is committed; made anew after a while. */
    recreate(afterMs: number, refill: () => void): void {
      if (topic.isAway()) return;
      const restore = topic.remove();
      if (random.chance(0.5)) committed.clear();
      for (const { positions } of clients)
        for (const position of positions.values())
          if (random.chance(0.5) || !habits.tellsIds) position.fetched = [];
      if (habits.untoldMs > 0)
        for (const client of clients)
          world.timer(random.int(0, habits.untoldMs), () => {
            client.untold ||= topic.isAway();
          });
      world.timer(afterMs, () => {
        restore();
        say(`the topic is there again, as ${topic.id()}`);
        // A client hears of it with its next metadata.
        for (const client of clients)
          world.timer(random.int(0, 10_000), () => {
            client.topicId = topic.id();
            client.untold = topic.isAway();
          });
        refill();
      });
    },
  };
}
