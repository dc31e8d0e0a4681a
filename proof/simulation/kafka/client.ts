/** A member's client, in the type that src/kafka/consumer.ts has. Nothing comes back to a process that is dead. */
import type { KafkaConsumer } from "../../../src/kafka/consumer.ts";
import type { DeliveredRecord } from "../../../src/kafka/fetched.ts";
import type { Commit } from "../../../src/kafka/places.ts";
import type { Conduct, Release } from "../checks/conduct.ts";
import type { Clocked, Process, Random, Time } from "../clock.ts";
import type { Habits } from "../habits.ts";
import { createCommits } from "./commits.ts";
import type { Group, GroupClient } from "./group.ts";
import { createLookUps } from "./look-ups.ts";
import { createPositions } from "./positions.ts";
import type { Deliver } from "./reader.ts";
import type { Topic } from "./topic.ts";

export function createClient(options: {
  random: Random;
  habits: Habits;
  time: Time;
  world: Clocked;
  clock: Clocked;
  client: GroupClient;
  group: Group;
  topic: Topic;
  troubles: { commits: number; late: number; lookUps: number };
  deliver: Deliver;
  conduct: () => Pick<Conduct, "demanded">;
  onCommit: (commit: Commit) => void;
  onLetGo: (process: Process, release: Release) => void;
  broken: (what: string) => void;
  say: (what: string) => void;
}): KafkaConsumer {
  const { random, time, habits, world, clock, client, group, topic, troubles, deliver, broken, say } =
    options;
  const { process } = client;
  const { committed } = group;
  const { commit, forget } = createCommits(options);
  const positions = createPositions({ ...options, committed, nowMs: time.nowMs, onRead: forget });

  /** The rebalance that is demanded and that it has not heard of. */
  function hearDemand(): void {
    const { demand } = client;
    if (!demand || client.demanded) return;
    client.demanded = true;
    client.demandedAtMs = time.nowMs();
    if (demand.kind === "revoke") options.conduct().demanded(process, demand.partitions);
    say(`${process.name} is to ${demand.kind} ${demand.partitions}`);
    client.onRebalance(demand);
  }

  return {
    ...createLookUps({ ...options, committed }),
    commit,
    poll(maxRecords) {
      hearDemand();
      if (topic.isAway() && random.chance(0.1))
        return { records: [], errors: ["Broker: Unknown topic or partition"], ended: [] };
      const records: DeliveredRecord[] = [];
      for (const [partition, position] of client.positions)
        if (!position.paused && records.length < maxRecords)
          records.push(
            ...deliver(client, partition, position, Math.min(habits.mostPolled, maxRecords - records.length)),
          );
      return { records, errors: [], ended: [] };
    },
    // A process is not woken up to the millisecond.
    wait: (timeoutMs) => clock.sleep(random.int(timeoutMs, habits.pace * timeoutMs)),
    assign(starts) {
      for (const one of starts) positions.begin(one);
      client.metAtMs = time.nowMs();
      group.met(client, "assign");
    },
    unassign(partitions) {
      say(`${process.name} lets ${partitions} go`);
      const isMember = client.inGroup && client.topicId === topic.id() && !topic.isAway();
      for (const partition of partitions) {
        const ownedSinceMs = client.positions.get(partition)?.sinceMs ?? 0;
        client.positions.delete(partition);
        const demandedAtMs = releasedFromMs(client, partition);
        options.onLetGo(process, { partition, ownedSinceMs, demandedAtMs, isMember });
      }
      client.metAtMs = time.nowMs();
      group.met(client, "revoke");
    },
    pause: (partitions) => positions.setPaused(partitions, true),
    resume: (partitions) => positions.setPaused(partitions, false),
    rewind(start) {
      if (topic.isOut(start.partition) || random.chance(troubles.lookUps))
        throw new Error("Local: Erroneous state");
      positions.rewind(start);
    },
    watermarks(partition) {
      const log = topic.logOf(partition);
      return topic.isAway()
        ? { lowOffset: -1, highOffset: -1 }
        : { lowOffset: log.start(), highOffset: log.end() };
    },
    topicId: () => (client.untold || !habits.tellsIds ? undefined : client.topicId),
    committedOffsets: async () => new Map(),
    missingRight: async () => undefined,
    async close() {
      if (client.positions.size > 0) broken(`${process.name} ends with partitions that it has not given up`);
      client.inGroup = false;
      group.clients.delete(client);
      world.timer(1, group.balance);
    },
  };
}

/** Who is to end gives up what it has as soon as it has met what was demanded before. */
function releasedFromMs(client: GroupClient, partition: number): number {
  const { process, demand, demandedAtMs } = client;
  const { toEndMs } = process;
  const isDemanded = client.demanded && demand?.kind === "revoke" && demand.partitions.includes(partition);
  if (toEndMs === undefined || (isDemanded && demandedAtMs < toEndMs)) return demandedAtMs;
  return Math.max(toEndMs, client.metAtMs);
}
