/** A consumer group's coordinator: who owns what, what is demanded of whom, and whose session is lost. */
import type { Rebalance } from "../../../src/kafka/consumer.ts";
import type { CommittedOffset } from "../../../src/kafka/places.ts";
import type { Clocked, Process, Random } from "../clock.ts";
import type { Habits } from "../habits.ts";
import type { Stored } from "./log.ts";

/** What a member's client knows of a partition that it reads. */
export type Position = {
  next: number;
  /** Where reading began. */
  from: number;
  /** Where the oldest record is it asks the brokers, when it can. */
  atOldest: boolean;
  /** Of the record before it. */
  epoch: number;
  /** The leader's, when the position was compared with it last. */
  validated: number;
  /** It was sought there, or begins at the oldest: before, nothing is taken on from it. */
  sought: boolean;
  paused: boolean;
  /** When it was taken on, or reading began anew. */
  sinceMs: number;
  /** As the client had heard it when it began to read: when it hears another one it drops what comes until it begins anew. */
  topicId: string;
  fetched: Stored[];
};
export type GroupClient = {
  process: Process;
  /** Of its membership: what an earlier one sent is refused. */
  generation: number;
  inGroup: boolean;
  /** What the coordinator takes it to own. */
  owned: Set<number>;
  /** Demanded and not met. */
  demand: Rebalance | undefined;
  demanded: boolean;
  demandedAtMs: number;
  /** When it met one last. */
  metAtMs: number;
  positions: Map<number, Position>;
  /** As it has last heard it. */
  topicId: string;
  /** It tells no id: it has heard of no topic, or that there is none. */
  untold: boolean;
  onRebalance: (rebalance: Rebalance) => void;
};

export type Group = ReturnType<typeof createGroup>;

export function createGroup(options: {
  random: Random;
  world: Clocked;
  habits: Habits;
  say: (what: string) => void;
}) {
  const { random, world, habits, say } = options;
  const { partitions, rebalanceMs } = habits;
  const clients = new Set<GroupClient>();
  const committed = new Map<number, CommittedOffset>();
  /** Commits on their way to the coordinator. */
  const underWay = new Set<unknown>();

  /** Gives partitions to members, taking none from whom it need not (cooperative-sticky). */
  function balance(): void {
    const members = [...clients].filter(({ inGroup }) => inGroup);
    const most = Math.ceil(partitions / Math.max(1, members.length));
    const free = new Set(Array(partitions).keys());
    for (const { owned } of clients) for (const partition of owned) free.delete(partition);
    for (const client of clients) {
      if (!client.inGroup || client.demand) continue;
      const surplus = [...client.owned].slice(most);
      if (surplus.length > 0) demand(client, { kind: "revoke", partitions: surplus });
      else if (client.owned.size < most && free.size > 0) {
        const given = [...free].slice(0, most - client.owned.size);
        for (const partition of given) {
          free.delete(partition);
          client.owned.add(partition);
        }
        demand(client, { kind: "assign", partitions: given });
      }
    }
  }

  function demand(client: GroupClient, rebalance: Rebalance): void {
    client.demand = rebalance;
    client.demanded = false;
    if (rebalance.kind === "assign") client.generation += 1;
  }

  function met(client: GroupClient, kind: Rebalance["kind"]): void {
    if (client.demand?.kind !== kind || !client.demanded) return;
    if (kind === "revoke") {
      for (const partition of client.demand.partitions) client.owned.delete(partition);
      client.generation += 1;
      // Who lost its session is in again when it has given up everything, not after a revoke of before.
      if (client.positions.size === 0) client.inGroup = true;
    }
    client.demand = undefined;
    world.timer(random.int(1, rebalanceMs), balance);
  }

  /** The coordinator gives its partitions to others; it hears of that later, when it can, and joins again. */
  function loseSession(client: GroupClient): void {
    say(`${client.process.name} loses its session`);
    client.inGroup = false;
    client.owned.clear();
    client.generation += 1;
    world.timer(random.int(1, 500), balance);
    if (!client.process.alive) return void clients.delete(client);
    const hear = (): void => {
      if (!client.process.alive || client.inGroup) return;
      if (client.demand && client.demanded) return void world.timer(200, hear);
      const had = [...client.positions.keys()];
      if (had.length > 0) demand(client, { kind: "revoke", partitions: had });
      else {
        client.demand = undefined;
        client.inGroup = true;
        world.timer(random.int(1, rebalanceMs), balance);
      }
    };
    world.timer(random.int(100, habits.hearsOfLossMs), hear);
  }

  /** Another assignment, as after a change of the topic or of a member's subscription: somebody gives something up. */
  function move(): void {
    const those = [...clients].filter(({ inGroup, demand, owned }) => inGroup && !demand && owned.size > 0);
    if (those.length === 0) return;
    const client = random.pick(those);
    const owned = [...client.owned];
    const from = random.int(0, owned.length - 1);
    demand(client, { kind: "revoke", partitions: owned.slice(from, random.int(from, owned.length) + 1) });
  }

  return { move, clients, committed, underWay, balance, met, loseSession };
}
