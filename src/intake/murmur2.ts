/** Kafka's own key hash, so that a customer's orders land where Java's default partitioner would put that key. */

const multiplier = 0x5bd1e995;

/** MurmurHash2, 32 bits, as in org.apache.kafka.common.utils.Utils.murmur2. */
export function murmur2(data: Uint8Array): number {
  const { length } = data;
  let hash = 0x9747b28c ^ length;
  const whole = length & ~3;
  for (let at = 0; at < whole; at += 4) {
    let word =
      at1(data, at) | (at1(data, at + 1) << 8) | (at1(data, at + 2) << 16) | (at1(data, at + 3) << 24);
    word = Math.imul(word, multiplier);
    word ^= word >>> 24;
    hash = Math.imul(hash, multiplier) ^ Math.imul(word, multiplier);
  }
  const rest = length - whole;
  if (rest === 3) hash ^= at1(data, whole + 2) << 16;
  if (rest >= 2) hash ^= at1(data, whole + 1) << 8;
  if (rest >= 1) hash = Math.imul(hash ^ at1(data, whole), multiplier);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, multiplier);
  return (hash ^ (hash >>> 15)) | 0;
}

const at1 = (data: Uint8Array, index: number): number => data[index] ?? 0;

/** The partition of a key among so many (toPositive(murmur2) modulo, as Java's BuiltInPartitioner has it). */
export const partitionForKey = (key: string, partitions: number): number =>
  (murmur2(Buffer.from(key)) & 0x7fffffff) % partitions;
