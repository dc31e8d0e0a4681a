import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { partitionForKey } from "./murmur2.ts";
import { createPartitioner } from "./partitioner.ts";

const create = (kind: "batch" | "customer" = "batch", partitions = 12) =>
  createPartitioner({ kind, partitions, windowMs: 2, availabilityTimeoutMs: 300 });

/** Chooses a partition and sends there; it stays unacknowledged. */
function send(partitioner: ReturnType<typeof create>, nowMs: number): number {
  const partition = partitioner.choose("c", nowMs);
  partitioner.sent(partition, nowMs);
  return partition;
}

describe("batch", () => {
  test("all orders of a window go to one partition, the next window's to the next", () => {
    const partitioner = create();
    const chosen = [0, 0.5, 1.9, 2, 3, 4.5].map((nowMs) => partitioner.choose(`customer ${nowMs}`, nowMs));
    const first = chosen[0] as number;
    expect(chosen).toEqual([0, 0, 0, 1, 1, 2].map((step) => (first + step) % 12));
  });

  test("every partition gets its turn", () => {
    const partitioner = create();
    const chosen = Array.from({ length: 12 }, (_, window) => partitioner.choose("c", window * 2));
    expect(new Set(chosen).size).toBe(12);
  });

  test("producers that start together do not walk in step", () => {
    const starts = Array.from({ length: 100 }, () => create().choose("c", 0));
    expect(new Set(starts).size).toBeGreaterThan(6);
  });

  test("a partition that does not acknowledge in time is passed over until it does", () => {
    const partitioner = create();
    const slow = send(partitioner, 0);
    const chosen = (fromMs: number) =>
      Array.from({ length: 24 }, (_, window) => partitioner.choose("c", fromMs + window * 2));
    expect(chosen(2)).toContain(slow);
    expect(chosen(300)).not.toContain(slow);
    partitioner.settled(slow);
    expect(chosen(400)).toContain(slow);
  });

  test("it is left in the middle of its window too", () => {
    const partitioner = createPartitioner({
      kind: "batch",
      partitions: 3,
      windowMs: 1_000,
      availabilityTimeoutMs: 300,
    });
    const slow = send(partitioner, 0);
    expect(partitioner.choose("c", 299)).toBe(slow);
    expect(partitioner.choose("c", 300)).not.toBe(slow);
  });

  test("when all are slow, the one that waits least is taken", () => {
    const partitioner = create("batch", 3);
    const partitions = [send(partitioner, 0), send(partitioner, 10), send(partitioner, 20)];
    expect(new Set(partitions).size).toBe(3);
    expect(partitioner.choose("c", 1_000)).toBe(partitions[2] as number);
  });
});

test("customer: the partition is the key's, however slow it is", () => {
  const partitioner = create("customer");
  for (const customer of ["c1", "c2", "Zoë"]) {
    const partition = partitionForKey(customer, 12);
    expect(partitioner.choose(customer, 0)).toBe(partition);
    partitioner.sent(partition, 0);
    expect(partitioner.choose(customer, 10_000)).toBe(partition);
  }
});

test("a partition is always one of those there are, available while any is, and settles exactly what was sent", () => {
  const step = fc.record({ elapsedMs: fc.nat(400), settle: fc.array(fc.nat(11)) });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 12 }), fc.array(step), (partitions, steps) => {
      const partitioner = create("batch", partitions);
      const unsettled = Array.from({ length: partitions }, () => [] as number[]);
      let nowMs = 0;
      for (const { elapsedMs, settle } of steps) {
        nowMs += elapsedMs;
        const partition = send(partitioner, nowMs);
        expect(partition).toBeWithin(0, partitions);
        unsettled[partition]?.push(nowMs);
        for (const which of settle) {
          if (unsettled[which]?.shift() !== undefined) partitioner.settled(which);
        }
        // Orders of one window are counted together: an age is known to within its length.
        const ages = unsettled.map(([oldest]) => nowMs - (oldest ?? nowMs));
        const age = ages[partitioner.choose("c", nowMs + 2)] as number;
        if (ages.some((other) => other < 295)) expect(age).toBeLessThan(302);
      }
      for (const [which, orders] of unsettled.entries()) for (const _ of orders) partitioner.settled(which);
      for (let which = 0; which < partitions; which += 1)
        expect(() => partitioner.settled(which)).toThrow("settled more");
    }),
  );
});

test("more settled than sent is a broken invariant", () => {
  const partitioner = create();
  const partition = send(partitioner, 0);
  partitioner.settled(partition);
  expect(() => partitioner.settled(partition)).toThrow("settled more");
});
