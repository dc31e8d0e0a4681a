import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createPartitioner, murmur2, partitionForKey } from "./partitioner.ts";

function create(kind: "batch" | "customer" = "batch", partitions = 12) {
  const partitioner = createPartitioner(kind);
  partitioner.resize(partitions);
  return partitioner;
}

/** The partition of a group that is not sent. */
const choose = (partitioner: ReturnType<typeof create>, nowMs: number) => partitioner.forGroup(nowMs)("c");

/** Sends a group of one; it stays unacknowledged. */
function send(partitioner: ReturnType<typeof create>, nowMs: number): number {
  const partition = choose(partitioner, nowMs);
  partitioner.sent(partition, nowMs);
  return partition;
}

describe("batch", () => {
  test("all orders of a group go to one partition, the next group's to the next", () => {
    const partitioner = create();
    const groups = [0, 1, 2].map((nowMs) => ["c1", "c2", "c3"].map(partitioner.forGroup(nowMs)));
    const first = groups[0]?.[0] as number;
    expect(groups).toEqual([0, 1, 2].map((step) => Array(3).fill((first + step) % 12)));
  });

  test("every partition gets its turn", () => {
    const partitioner = create();
    const chosen = Array.from({ length: 12 }, (_, group) => choose(partitioner, group));
    expect(new Set(chosen).size).toBe(12);
  });

  test("producers that start together do not walk in step", () => {
    const starts = Array.from({ length: 100 }, () => choose(create(), 0));
    expect(new Set(starts).size).toBeGreaterThan(6);
  });

  test("a partition that does not acknowledge in time is passed over until it does", () => {
    const partitioner = create();
    const slow = send(partitioner, 0);
    const chosen = (fromMs: number) =>
      Array.from({ length: 24 }, (_, group) => choose(partitioner, fromMs + group * 2));
    expect(chosen(2)).toContain(slow);
    expect(chosen(300)).not.toContain(slow);
    partitioner.settled(slow);
    expect(chosen(400)).toContain(slow);
  });

  test("of those that were sent together the last acknowledgement counts", () => {
    const partitioner = create("batch", 2);
    const slow = send(partitioner, 0);
    partitioner.sent(slow, 0);
    const chosen = (fromMs: number) => [fromMs, fromMs + 1].map((nowMs) => choose(partitioner, nowMs));
    partitioner.settled(slow);
    expect(chosen(300)).not.toContain(slow);
    partitioner.settled(slow);
    expect(chosen(400)).toContain(slow);
  });

  test("when all are slow, the one that waits least is taken", () => {
    const partitioner = create("batch", 3);
    const partitions = [send(partitioner, 0), send(partitioner, 10), send(partitioner, 20)];
    expect(new Set(partitions).size).toBe(3);
    expect(choose(partitioner, 1_000)).toBe(partitions[2] as number);
  });
});

test("partitions that are added are used, of whichever kind", () => {
  const batch = create("batch", 2);
  batch.resize(4);
  expect(new Set(Array.from({ length: 4 }, (_, nowMs) => send(batch, nowMs)))).toEqual(new Set([0, 1, 2, 3]));

  const customer = create("customer", 2);
  customer.resize(12);
  for (const name of ["c1", "c2", "Zoë"]) expect(customer.forGroup(0)(name)).toBe(partitionForKey(name, 12));
});

test("partitions that are no more get nothing, are not available, and settle what was sent to them", () => {
  const partitioner = create("batch", 6);
  for (let nowMs = 0; nowMs < 6; nowMs += 1) send(partitioner, nowMs);
  partitioner.resize(2);
  for (let nowMs = 6; nowMs < 12; nowMs += 1) expect(choose(partitioner, nowMs)).toBeLessThan(2);
  expect(partitioner.available(1, 12)).toBe(true);
  expect(partitioner.available(2, 12)).toBe(false);
  for (let partition = 0; partition < 6; partition += 1) partitioner.settled(partition);
  expect(() => partitioner.settled(5)).toThrow("settled more");
  expect(() => partitioner.settled(7)).toThrow("settled more");
});

test("customer: the partition is the key's, however slow it is", () => {
  const partitioner = create("customer");
  for (const customer of ["c1", "c2", "Zoë"]) {
    const partition = partitionForKey(customer, 12);
    expect(partitioner.forGroup(0)(customer)).toBe(partition);
    partitioner.sent(partition, 0);
    expect(partitioner.forGroup(10_000)(customer)).toBe(partition);
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
        const ages = unsettled.map(([oldest]) => nowMs - (oldest ?? nowMs));
        const age = ages[choose(partitioner, nowMs)] as number;
        if (ages.some((other) => other < 300)) expect(age).toBeLessThan(300);
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

// Apache Kafka, clients/src/test/java/org/apache/kafka/common/utils/UtilsTest.java, testMurmur2.
test.each([
  ["21", -973932308],
  ["foobar", -790332482],
  ["a-little-bit-long-string", -985981536],
  ["a-little-bit-longer-string", -1486304829],
  ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
  ["abc", 479470107],
])("%s has the hash that Java's client gives it", (text, hash) => {
  expect(murmur2(Buffer.from(text))).toBe(hash);
});

test("a hash is a 32-bit number and its partition is one of those there are", () => {
  fc.assert(
    fc.property(
      fc.uint8Array(),
      fc.string(),
      fc.integer({ min: 1, max: 1_000 }),
      (bytes, key, partitions) => {
        expect(murmur2(bytes)).toBe(murmur2(bytes) | 0);
        const partition = partitionForKey(key, partitions);
        expect(partition).toBeInteger();
        expect(partition).toBeWithin(0, partitions);
      },
    ),
  );
});

test("a negative hash loses its sign as in Java, by its bit and not by negation", () => {
  expect(partitionForKey("foobar", 12)).toBe((-790332482 & 0x7fffffff) % 12);
  expect(partitionForKey("foobar", 12)).not.toBe(790332482 % 12);
});
