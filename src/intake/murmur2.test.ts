import { expect, test } from "bun:test";
import fc from "fast-check";
import { murmur2, partitionForKey } from "./murmur2.ts";

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
