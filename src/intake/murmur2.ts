/** Kafka's own key hash, so that a customer's orders land where Java's default partitioner would put that key. */

/** MurmurHash2, 32 bits, as in org.apache.kafka.common.utils.Utils.murmur2. */
export const murmur2 = (data: string | Uint8Array): number => Bun.hash.murmur32v2(data, 0x9747b28c) | 0;

/** The partition of a key among so many (toPositive(murmur2) modulo, as Java's BuiltInPartitioner has it). */
export const partitionForKey = (key: string, partitions: number): number =>
  (murmur2(key) & 0x7fffffff) % partitions;
