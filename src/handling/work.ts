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
  /** Attempts that failed and were counted, and of them when the first began and when it failed. All times are the clock's. */
  attempts: number;
  begunAtMs: number | undefined;
  failedAtMs: number | undefined;
  /** All failures, whosever fault they were: they make the next wait longer. */
  failures: number;
  /** When the next attempt may begin. */
  notBeforeMs: number;
  /** What failed once shares no transaction any more. */
  alone: boolean;
  /** Its effect elsewhere is done, and only not recorded yet. */
  effected: boolean;
};

/** Whether its partition still belongs to this consumer. */
export const isOwned = ({ owner }: Work): boolean => !owner.revoked.signal.aborted;

/** The order in a record that could be decoded. */
export function entryOf({ decoded }: Work): Entry {
  if ("entry" in decoded) return decoded.entry;
  throw new Error("an undecodable record has no order");
}

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
    begunAtMs: undefined,
    failedAtMs: undefined,
    failures: 0,
    notBeforeMs: 0,
    alone: false,
    effected: false,
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
