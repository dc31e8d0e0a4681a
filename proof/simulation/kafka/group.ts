/** A consumer group's coordinator: who owns what, what is demanded of whom, and whose session is lost. */
import type { Rebalance } from "../../../src/kafka/consumer.ts";
import type { CommittedOffset } from "../../../src/kafka/places.ts";
import type { Clocked, Process, Random } from "../clock.ts";
import type { Stored } from "./log.ts";

/** What a member's client knows of a partition that it reads. */
export type Position = {
  next: number;
  /** Of the record before it. */
  epoch: number;
  /** The leader's, when the position was compared with it last. */
  validated: number;
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
  onRebalance: (rebalance: Rebalance) => void;
};

export type Group = ReturnType<typeof createGroup>;

export function createGroup(options: {
  random: Random;
  world: Clocked;
  partitions: number;
  say: (what: string) => void;
}) {
  const { random, world, say } = options;
  const clients = new Set<GroupClient>();
  const committed = new Map<number, CommittedOffset>();
  /** Commits on their way to the coordinator. */
  const underWay = new Set<unknown>();

  /** Gives partitions to members, taking none from whom it need not (cooperative-sticky). */
  function balance(): void {
    const members = [...clients].filter(({ inGroup }) => inGroup);
    const most = Math.ceil(options.partitions / Math.max(1, members.length));
    const free = new Set(Array(options.partitions).keys());
    for (const { owned } of clients) for (const partition of owned) free.delete(partition);
    for (const client of clients) {
      if (!client.inGroup || client.demand) continue;
      const surplus = [...client.owned].slice(most);
      if (surplus.length > 0) demand(client, { kind: "revoke", partitions: surplus });
      else if (client.owned.size < most && free.size > 0) {
        const partitions = [...free].slice(0, most - client.owned.size);
        for (const partition of partitions) {
          free.delete(partition);
          client.owned.add(partition);
        }
        demand(client, { kind: "assign", partitions });
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
    world.timer(random.int(1, 300), balance);
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
      const partitions = [...client.positions.keys()];
      if (partitions.length > 0) demand(client, { kind: "revoke", partitions });
      else {
        client.demand = undefined;
        client.inGroup = true;
        world.timer(random.int(1, 300), balance);
      }
    };
    world.timer(random.int(100, 5_000), hear);
  }

  return { clients, committed, underWay, balance, met, loseSession };
}
