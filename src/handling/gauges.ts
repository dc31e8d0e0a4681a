/** What is told of each partition that is owned, now and then. */
import type { OwnershipParts } from "./ownership.ts";
import type { OwnedPartition } from "./work.ts";

const everyMs = 100;

export function createGauges(topic: string, { consumer, metrics, clock }: OwnershipParts) {
  const { paused, position, committed, end, lag, oldest } = metrics;
  let dueAtMs = 0;

  function tell(owner: OwnedPartition): void {
    const { partition, offsets } = owner;
    const place = { topic, partition };
    const newest = consumer.watermarks(partition).end;
    const done = offsets.committed() ?? 0;
    const read = offsets.position() ?? done;
    const oldestMs = offsets.oldest()?.timestampMs ?? -1;
    paused.set(place, Number(owner.paused));
    position.set(place, read);
    committed.set(place, done);
    oldest.set(place, oldestMs < 0 ? 0 : Math.max(0, clock.epochMs() - oldestMs) / 1_000);
    if (newest < 0) return;
    end.set(place, newest);
    lag.set(place, Math.max(0, newest - read) + offsets.unfinished());
  }

  return {
    tell(owned: Iterable<OwnedPartition>): void {
      if (clock.nowMs() < dueAtMs) return;
      dueAtMs = clock.nowMs() + everyMs;
      for (const owner of owned) tell(owner);
    },
    forget(partition: number): void {
      for (const gauge of [paused, position, committed, end, lag, oldest]) gauge.remove({ topic, partition });
    },
  };
}
