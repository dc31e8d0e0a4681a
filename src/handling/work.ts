/** A delivered record on its way through a consumer. */
import { canonicalJson } from "../canonical.ts";
import type { DeliveredRecord } from "../kafka/fetched.ts";
import type { Entry } from "../ledger/ledger.ts";
import { decodePlacedOrder } from "../validation.ts";
import type { Slot } from "./offsets.ts";
import type { OwnedPartition } from "./partitions.ts";

/** One record, where it belongs, what it says, and how often it was tried. */
export type Work = {
  readonly record: DeliveredRecord;
  readonly owner: OwnedPartition;
  readonly slot: Slot;
  /** Orders of one customer are handled in order; an undecodable record is a customer of its own. */
  readonly customer: string;
  readonly decoded: { entry: Entry } | { fault: string };
  /** Attempts that failed so far, and when the first did, ms since the epoch. */
  attempts: number;
  failedAtMs: number | undefined;
  /** When the next attempt may begin, ms since the epoch. */
  notBeforeMs: number;
};

/** Makes work of a record. Whatever is in it, this does not throw: what can't be decoded says so. */
export function workOf(record: DeliveredRecord, owner: OwnedPartition, slot: Slot): Work {
  const decoded = decode(record);
  return {
    record,
    owner,
    slot,
    customer:
      "entry" in decoded ? decoded.entry.order.customer : `\u0000${record.partition}/${record.offset}`,
    decoded,
    attempts: 0,
    failedAtMs: undefined,
    notBeforeMs: 0,
  };
}

function decode({ value, partition, offset }: DeliveredRecord): Work["decoded"] {
  try {
    const order = decodePlacedOrder(value);
    // What the client sent, without what the producer added: equal orders have equal digests.
    const content = canonicalJson(order, ["id", "placedAt"]);
    const digest = Bun.CryptoHasher.hash("sha256", content, "base64url");
    return { entry: { order, digest, partition, offset } };
  } catch (error) {
    return { fault: (error as Error).message };
  }
}
