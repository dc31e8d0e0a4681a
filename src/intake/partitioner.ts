/**
 * Chooses the partition of each order. `batch` sends all orders of a short window to one partition, since the
 * number of produce requests is what limits, and passes over partitions that do not acknowledge in time, as
 * KIP-794 does for Java's producer: new orders then wait for a dead broker no longer than it takes to notice.
 * `customer` keeps each customer's orders in one partition, whatever its state.
 */
import { partitionForKey } from "./murmur2.ts";

/** Chooses partitions and is told what became of each choice. Times are milliseconds of one monotonic clock. */
export type Partitioner = {
  /** The partition for an order of this customer. */
  choose(customer: string, nowMs: number): number;
  /** An order was sent to the partition. */
  sent(partition: number, nowMs: number): void;
  /** An order of the partition got its report, good or bad. */
  settled(partition: number): void;
};

/** The oldest unsettled orders of one partition: how many were sent in each window, oldest first. */
type Window = { sinceMs: number; unsettled: number };

/** @param options.availabilityTimeoutMs age of an unacknowledged order that makes its partition unavailable */
export function createPartitioner(options: {
  kind: "batch" | "customer";
  partitions: number;
  windowMs: number;
  availabilityTimeoutMs: number;
}): Partitioner {
  const { kind, partitions, windowMs, availabilityTimeoutMs } = options;
  const waiting: Window[][] = Array.from({ length: partitions }, () => []);
  const ageMs = (partition: number, nowMs: number) => nowMs - (waiting[partition]?.[0]?.sinceMs ?? nowMs);
  // Producers that start together do not move through the partitions in step.
  let current = Math.floor(Math.random() * partitions);
  let windowEndMs = 0;

  function next(nowMs: number): number {
    let best = (current + 1) % partitions;
    for (let step = 1; step <= partitions; step += 1) {
      const candidate = (current + step) % partitions;
      if (ageMs(candidate, nowMs) < availabilityTimeoutMs) return candidate;
      if (ageMs(candidate, nowMs) < ageMs(best, nowMs)) best = candidate;
    }
    return best;
  }

  return {
    choose(customer, nowMs) {
      if (kind === "customer") return partitionForKey(customer, partitions);
      if (nowMs >= windowEndMs || ageMs(current, nowMs) >= availabilityTimeoutMs) {
        current = next(nowMs);
        windowEndMs = nowMs + windowMs;
      }
      return current;
    },
    sent(partition, nowMs) {
      const windows = waiting[partition] as Window[];
      const last = windows.at(-1);
      if (last && nowMs - last.sinceMs < windowMs) last.unsettled += 1;
      else windows.push({ sinceMs: nowMs, unsettled: 1 });
    },
    settled(partition) {
      const windows = waiting[partition] as Window[];
      const oldest = windows[0];
      if (!oldest) throw new Error(`partition ${partition} settled more orders than were sent to it`);
      oldest.unsettled -= 1;
      if (oldest.unsettled === 0) windows.shift();
    },
  };
}
