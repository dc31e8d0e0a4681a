/**
 * What a dead letter looks like: the record's own key, value, headers and timestamp, and after its headers ours, which
 * say why and where from. `dead.headers` is the first of ours and says how many are the record's, so that what
 * it was before is known to the byte, whatever its own headers are called. What a topic refuses to take leaves a stub.
 */
import type { DeliveredRecord } from "../kafka/fetched.ts";
import type { OutgoingRecord } from "../kafka/producer.ts";

/** Why a record is given up. */
export type Cause = { reason: string; attempts: number };

/** What of a record a letter leaves out, from nothing to all that can be left out; `dead.cut` tells. */
export const cuts = [
  [],
  ["timestamp"],
  ["value", "timestamp"],
  ["key", "value", "headers", "timestamp"],
] as const;

/** Of `cuts`: those that are tried for a record whose timestamp, or whose size, is refused. */
export const cutTimestamp = 1;
export const cutValue = 2;

/** @param cut a place in `cuts`; @param at when it is given up, ms since the epoch */
export function letterOf(
  { key, value, headers, timestampMs, topic, partition, offset }: DeliveredRecord,
  { reason, attempts }: Cause,
  cut: number,
  at: number,
): Omit<OutgoingRecord, "topic" | "partition"> {
  const left = new Set<string>(cuts[cut]);
  const kept = left.has("headers") ? [] : headers;
  const ours = {
    "dead.headers": kept.length,
    "dead.reason": reason,
    "dead.attempts": attempts,
    "dead.topic": topic,
    "dead.partition": partition,
    "dead.offset": offset,
    "dead.timestamp": timestampMs,
    "dead.at": new Date(at).toISOString(),
    ...(left.size > 0 && { "dead.cut": [...left].join() }),
    ...(left.has("value") && {
      "dead.sha256": Bun.CryptoHasher.hash("sha256", value ?? "", "hex"),
      "dead.bytes": value?.length ?? 0,
    }),
  };
  return {
    key: left.has("key") ? null : key,
    value: left.has("value") ? null : value,
    ...(!left.has("timestamp") && timestampMs > 0 && { timestampMs }),
    headers: [...kept, ...Object.entries(ours).map(([name, text]) => ({ [name]: String(text) }))],
  };
}
