/**
 * Chooses partitions. `batch` sends a group of orders to one partition, the next to the next, since the number of produce
 * requests is what limits, and passes over partitions that do not acknowledge in time, as KIP-794 does for Java's producer.
 * `customer` keeps a customer's orders in one partition, whatever its state, for as long as there are as many partitions.
 */

/** MurmurHash2, 32 bits, as in org.apache.kafka.common.utils.Utils.murmur2. */
export const murmur2 = (data: string | Uint8Array): number => Bun.hash.murmur32v2(data, 0x9747b28c) | 0;

/** Where Java's default partitioner puts a key, of so many partitions. */
export const partitionForKey = (key: string, partitions: number) => (murmur2(key) & 0x7fffffff) % partitions;

/** As old as this, an unacknowledged order makes its partition unavailable. */
export const availabilityTimeoutMs = 300;

export function createPartitioner(kind: "batch" | "customer") {
  /** No order is taken before it is known how many there are. */
  let partitions = 1;
  /** By partition, oldest first: how many were sent together and are unsettled. Also of partitions that are no more. */
  const waiting: { atMs: number; unsettled: number }[][] = [];
  const ageMs = (partition: number, nowMs: number) => nowMs - (waiting[partition]?.[0]?.atMs ?? nowMs);
  const available = (partition: number, nowMs: number): boolean =>
    partition < partitions && ageMs(partition, nowMs) < availabilityTimeoutMs;
  // Producers that start together do not move through the partitions in step.
  let current = Math.floor(Math.random() * 2 ** 20);

  function next(nowMs: number): number {
    let best = (current + 1) % partitions;
    for (let step = 1; step <= partitions; step += 1) {
      const candidate = (current + step) % partitions;
      if (available(candidate, nowMs)) return candidate;
      if (ageMs(candidate, nowMs) < ageMs(best, nowMs)) best = candidate;
    }
    return best;
  }
  return {
    available,
    /** The partitions for a group of orders, by customer. */
    forGroup(nowMs: number): (customer: string) => number {
      if (kind === "customer") return (customer) => partitionForKey(customer, partitions);
      const partition = next(nowMs);
      current = partition;
      return () => partition;
    },
    sent(partition: number, nowMs: number): void {
      waiting[partition] ??= [];
      const all = waiting[partition];
      const last = all.at(-1);
      if (last?.atMs === nowMs) last.unsettled += 1;
      else all.push({ atMs: nowMs, unsettled: 1 });
    },
    /** An order of the partition got its report, good or bad. */
    settled(partition: number): void {
      const oldest = waiting[partition]?.[0];
      if (!oldest) throw new Error(`partition ${partition} settled more orders than were sent to it`);
      oldest.unsettled -= 1;
      if (oldest.unsettled === 0) waiting[partition]?.shift();
    },
    /** No order that is on its way gets a report any more. */
    forget: (): void => void waiting.splice(0),
    /** The topic has so many partitions now. What was sent to others is settled all the same. */
    resize(now: number): void {
      partitions = now;
    },
  };
}
