/**
 * A model of Kafka for the consumer's core: a group's coordinator, and of each member the client, in the type that
 * src/kafka/consumer.ts has. Where the clients of Kafka differ from what one may hope, the model does what librdkafka
 * 2.15.1 does: on a cut it reads on from the end of its epoch, an offset out of range begins at the oldest record, and
 * who lost its session reads on until it hears of it.
 */
import { topicOf } from "../../../src/handling/offsets.ts";
import type { KafkaConsumer, Rebalance } from "../../../src/kafka/consumer.ts";
import type { DeliveredRecord } from "../../../src/kafka/fetched.ts";
import type { Commit, CommittedOffset, Start } from "../../../src/kafka/places.ts";
import type { Conduct, Release } from "../checks/conduct.ts";
import { type Clocked, heard, type Process, type Random, type Time } from "../clock.ts";
import { createCommits } from "./commits.ts";
import { createGroup, type GroupClient } from "./group.ts";
import { createLog, type Log, type Stored } from "./log.ts";
import { createSimulatedReader, mostPolled } from "./reader.ts";

/** What goes wrong just now. Shares are probabilities, times milliseconds. */
export type KafkaTroubles = { commits: number; late: number; lookUps: number; repeats: number };
export type Kafka = ReturnType<typeof createKafka>;

export function createKafka(options: {
  random: Random;
  time: Time;
  partitions: number;
  topic: string;
  onCommit: (commit: Commit) => void;
  onDelivery: (process: Process, record: Stored, counts: boolean) => void;
  conduct: () => Pick<Conduct, "demanded" | "copied">;
  onLetGo: (process: Process, release: Release) => void;
  broken: (what: string) => void;
  say: (what: string) => void;
}) {
  const { random, time, onLetGo, broken, say } = options;
  const world = time.clockOf({ name: "kafka", alive: true, frozenUntilMs: 0 });
  const troubles: KafkaTroubles = { commits: 0, late: 0, lookUps: 0, repeats: 0 };
  const committed = new Map<number, CommittedOffset>();
  const { clients, balance, met, loseSession } = createGroup({ ...options, world });
  /** Commits on their way to the coordinator. */
  const underWay = new Set<unknown>();
  let topicsMade = 0;
  let topicId = `topic${topicsMade}`;
  let away = false;
  let logs = fresh();

  function fresh(): Log[] {
    return Array.from({ length: options.partitions }, (_, partition) => createLog(topicId, partition));
  }
  const logOf = (partition: number): Log => logs[partition] as Log;
  const deliver = createSimulatedReader({ ...options, troubles, logOf, isAway: () => away });

  /** A member's client. Nothing comes back to a process that is dead. */
  function join(
    process: Process,
    clock: Clocked,
    onRebalance: (rebalance: Rebalance) => void,
  ): KafkaConsumer {
    const client: GroupClient = {
      ...{ process, generation: 0, inGroup: true, leaving: false, owned: new Set<number>(), demanded: false },
      demandedAtMs: 0,
      ...{ demand: undefined, positions: new Map(), onRebalance, topicId },
    };
    clients.add(client);
    world.timer(random.int(1, 300), balance);
    const { commit, forget } = createCommits({
      ...{ ...options, world, clock, client, committed, underWay, troubles },
    });
    /** A pause outlives the assignment. */
    const paused = new Set<number>();

    async function lookUp<T>(timeoutMs: number, what: () => T): Promise<T> {
      if (random.chance(troubles.lookUps)) {
        await world.sleep(random.chance(0.5) ? timeoutMs : 5);
        throw new Error("Local: Timed out");
      }
      await world.sleep(random.int(0, 40));
      return what();
    }
    /** A new owner begins where the group is. */
    function begin(start: Start): void {
      const { partition, offset, leaderEpoch } = start;
      const group = committed.get(partition);
      // Who was frozen may have asked before it lost its session.
      const isKnown = client.inGroup && group && topicOf(group) === client.topicId && !client.leaving;
      if (isKnown && (offset !== group.offset || leaderEpoch !== group.leaderEpoch))
        broken(`${process.name} begins ${partition} at ${offset}, and the group is at ${group.offset}`);
      read(start);
    }
    function read({ partition, offset, leaderEpoch }: Start): void {
      const from = offset === "beginning" ? logOf(partition).start() : offset;
      say(`${process.name} begins ${partition} at ${from} of ${leaderEpoch}`);
      forget(partition);
      client.positions.set(partition, {
        next: from,
        epoch: leaderEpoch,
        validated: -1,
        paused: paused.has(partition),
        sinceMs: time.nowMs(),
        topicId: client.topicId,
        fetched: [],
      });
    }

    return {
      poll(maxRecords) {
        if (client.demand && !client.demanded) {
          client.demanded = true;
          client.demandedAtMs = time.nowMs();
          if (client.demand.kind === "revoke") options.conduct().demanded(process, client.demand.partitions);
          say(`${process.name} is to ${client.demand.kind} ${client.demand.partitions}`);
          onRebalance(client.demand);
        }
        if (away && random.chance(0.1))
          return { records: [], errors: ["Broker: Unknown topic or partition"], ended: [] };
        const records: DeliveredRecord[] = [];
        for (const [partition, position] of client.positions)
          if (!position.paused && records.length < maxRecords)
            records.push(
              ...deliver(client, partition, position, Math.min(mostPolled, maxRecords - records.length)),
            );
        return { records, errors: [], ended: [] };
      },
      // A process is not woken up to the millisecond.
      wait: (timeoutMs) => clock.sleep(random.int(timeoutMs, 6 * timeoutMs)),
      assign(starts) {
        for (const one of starts) begin(one);
        met(client, "assign");
      },
      unassign(partitions) {
        say(`${process.name} lets ${partitions} go`);
        const isMember = client.inGroup && client.topicId === topicId && !away;
        for (const partition of partitions) {
          const ownedSinceMs = client.positions.get(partition)?.sinceMs ?? 0;
          client.positions.delete(partition);
          onLetGo(process, { partition, ownedSinceMs, demandedAtMs: client.demandedAtMs, isMember });
        }
        met(client, "revoke");
      },
      pause: (partitions) => setPaused(partitions, true),
      resume: (partitions) => setPaused(partitions, false),
      rewind(start) {
        if (away || logOf(start.partition).isDown() || random.chance(troubles.lookUps))
          throw new Error("Local: Erroneous state");
        read(start);
      },
      watermarks: (partition) =>
        away
          ? { lowOffset: -1, highOffset: -1 }
          : { lowOffset: logOf(partition).start(), highOffset: logOf(partition).end() },
      committed: (partitions, timeoutMs) =>
        heard(
          clock,
          lookUp(
            timeoutMs,
            () => new Map([...committed].filter(([partition]) => partitions.includes(partition))),
          ),
        ),
      topicId: () => client.topicId,
      offsetsOf: (timestampsMs, timeoutMs) =>
        heard(
          clock,
          lookUp(timeoutMs, () => {
            if (away || timestampsMs.keys().some((partition) => logOf(partition).isDown()))
              throw new Error("Local: Timed out");
            return new Map(
              [...timestampsMs].map(([partition, ms]) => [partition, logOf(partition).offsetOf(ms)]),
            );
          }),
        ),
      committedOffsets: async () => new Map(),
      commit,
      leave() {
        client.leaving = true;
        world.timer(1, balance);
      },
      missingRight: async () => undefined,
      async close() {
        if (client.positions.size > 0)
          broken(`${process.name} ends with partitions that it has not given up`);
        client.inGroup = false;
        clients.delete(client);
        balance();
      },
    };

    function setPaused(partitions: number[], to: boolean): void {
      for (const partition of partitions) {
        if (to) paused.add(partition);
        else paused.delete(partition);
        const position = client.positions.get(partition);
        // What was fetched is given up, and fetched again.
        if (position) Object.assign(position, { paused: to, fetched: [] });
      }
    }
  }

  return {
    join,
    troubles,
    committed,
    logs: () => logs,
    topicId: () => topicId,
    isAway: () => away,
    commitsUnderWay: () => underWay.size,
    loseSession: (process: Process): void => {
      for (const client of clients) if (client.process === process && client.inGroup) loseSession(client);
    },
    /** The topic is deleted, and with it, where the coordinator hears of it, what is committed; made anew after a while. */
    recreate(afterMs: number, refill: () => void): void {
      if (away) return;
      away = true;
      topicsMade += 1;
      if (random.chance(0.5)) committed.clear();
      for (const { positions } of clients)
        for (const position of positions.values()) if (random.chance(0.5)) position.fetched = [];
      topicId = `topic${topicsMade}`;
      logs = fresh();
      world.timer(afterMs, () => {
        away = false;
        say(`the topic is there again, as ${topicId}`);
        // A client hears of it with its next metadata.
        for (const client of clients)
          world.timer(random.int(0, 10_000), () => {
            client.topicId = topicId;
          });
        refill();
      });
    },
  };
}
