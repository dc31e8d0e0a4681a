/** How a member's client reads a partition: from its position, which it compares with the leader's epoch (KIP-320). */
import type { DeliveredRecord } from "../../../src/kafka/fetched.ts";
import type { Conduct } from "../checks/conduct.ts";
import type { Process, Random } from "../clock.ts";
import type { Habits } from "../habits.ts";
import type { GroupClient, Position } from "./group.ts";
import type { Stored } from "./log.ts";
import type { Topic } from "./topic.ts";

export type Deliver = ReturnType<typeof createSimulatedReader>;

export function createSimulatedReader(options: {
  random: Random;
  habits: Habits;
  /** The topic's. */
  name: string;
  topic: Topic;
  troubles: { repeats: number };
  onDelivery: (process: Process, record: Stored, counts: boolean) => void;
  conduct: () => Pick<Conduct, "copied">;
  say: (what: string) => void;
}) {
  const { random, name, topic, troubles, onDelivery, say } = options;
  const { logOf } = topic;
  const { mostFetched, idles } = options.habits;

  function validate(client: GroupClient, partition: number, position: Position): void {
    const log = logOf(partition);
    if (position.atOldest) Object.assign(position, { next: log.start(), atOldest: false });
    const { next, epoch, validated } = position;
    position.validated = log.epoch();
    // An epoch that is lower is taken over, and nothing is compared (rd_kafka_toppar_leader_update).
    const end = epoch >= 0 && validated < log.epoch() ? log.endOf(epoch) : Infinity;
    if (end !== undefined && end < next) {
      say(`${client.process.name} finds partition ${partition} cut: ${next} → ${end}`);
      Object.assign(position, { next: end, fetched: [] });
    }
    if (end !== undefined && position.next >= log.start() && position.next <= log.end()) return;
    const why = end === undefined ? "of an epoch that was never" : "out of range";
    say(`${client.process.name} is ${why} in ${partition}: ${next} of ${epoch} → ${log.start()}`);
    Object.assign(position, { next: log.start(), epoch: -1, fetched: [] });
  }

  function deliver(
    client: GroupClient,
    partition: number,
    position: Position,
    most: number,
  ): DeliveredRecord[] {
    if (position.fetched.length === 0) {
      if (topic.isOut(partition) || client.untold) return [];
      if (random.chance(troubles.repeats)) {
        position.next = Math.max(logOf(partition).start(), position.next - random.int(1, 4));
        // Who could not read on from its place so far reads from there.
        position.from = Math.min(position.from, position.next);
      }
      validate(client, partition, position);
      position.fetched = logOf(partition).from(position.next, random.int(1, mostFetched));
      if (random.chance(0.3)) return [];
    }
    if (random.chance(idles)) return [];
    const taken = position.fetched.splice(0, random.int(1, most));
    // A member that is to give it up takes on no more of it, nor one that is to end.
    const revoked =
      client.demanded && client.demand?.kind === "revoke" && client.demand.partitions.includes(partition);
    const leaves = revoked || client.process.toEndMs !== undefined;
    for (const stored of taken) {
      position.next = stored.offset + 1;
      position.epoch = stored.leaderEpoch;
      // What comes of a topic that it has not heard of yet may look like what it knows as finished.
      const heard =
        position.topicId === client.topicId && String(stored.key).startsWith(`${client.topicId}/`);
      onDelivery(client.process, stored, !leaves && heard && position.sought);
    }
    if (taken.length > 0) say(`${client.process.name} takes ${taken.map(({ key }) => key)}`);
    return taken.map((stored) =>
      deliveredOf(name, stored, () => options.conduct().copied(client.process, stored)),
    );
  }

  return deliver;
}

function deliveredOf(topic: string, stored: Stored, own: () => unknown): DeliveredRecord {
  const { key, value, partition, offset, leaderEpoch, timestampMs } = stored;
  const bytes = key.length + value.length;
  return {
    topic,
    partition,
    offset,
    leaderEpoch,
    timestampMs,
    bytes,
    key,
    value,
    headers: [],
    own,
  } as unknown as DeliveredRecord;
}
