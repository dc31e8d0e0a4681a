/**
 * What is known of a run when it is over, from every side and nothing else: the client's record, the topic, the
 * ledger and its effects, the dead letters, and what the group had committed when. The verdict is a function of this.
 */

import { canonicalJson } from "../../src/wire/canonical.ts";
import { orderId } from "../../src/wire/order-id.ts";
import type { ClientAnswer } from "../client/answers.ts";
import { orderOf } from "../client/mix.ts";

export type { ClientAnswer };

/** The id that an order has, whether or not its client was told it: alone or in a batch, by the key that it was sent under. */
export const orderIdOf = ({
  customer,
  key,
  principal,
}: Pick<ClientAnswer, "customer" | "key" | "sent" | "principal">): string =>
  orderId(customer, key, principal);

/** The digest of what was ordered, as the ledger has that of what was handled (src/handling/work.ts). */
export function digestOf(answer: Pick<ClientAnswer, "customer" | "key" | "sent">): string {
  const content = JSON.parse(JSON.stringify(orderOf(answer)));
  return Bun.CryptoHasher.hash("sha256", canonicalJson(content), "base64url");
}

/** A record of the orders' topic. */
export type TopicRecord = { id: string; partition: number; offset: number; timestampMs: number };

/** A row of the ledger: the record that was handled, with the digest of what it orders; when, and how often it was delivered. */
export type LedgerRow = {
  id: string;
  digest: string;
  partition: number;
  offset: number;
  handledAtMs: number;
  deliveries: number;
};

/** A dead letter, by the place of the record that was given up; no id: it could not be read. */
export type DeadLetter = { id: string | undefined; partition: number; offset: number; reason: string };

/** The offset that the group had committed in a partition at some time: that of the next record. */
export type CommitSeen = { atMs: number; partition: number; offset: number };

/**
 * Records that a fault cut from every replica: so many at most, that were answered before; of one partition from an offset on,
 * or of all of them, where what the group had committed when it began was handled before.
 */
export type Cut = { atMs: number; records: number } & (
  | { partition: number; from: number }
  | { beganMs: number; partition?: undefined }
);

/** Everything that a run left behind; orders of other runs are not in it. */
export type History = {
  client: readonly ClientAnswer[];
  topic: readonly TopicRecord[];
  ledger: readonly LedgerRow[];
  /** One entry for each time an order's effect was applied. */
  effects: readonly { id: string }[];
  dead: readonly DeadLetter[];
  /** In the order of their time. */
  commits: readonly CommitSeen[];
  cuts?: readonly Cut[];
};
