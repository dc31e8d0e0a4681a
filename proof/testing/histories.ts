/** Histories made by hand, for tests of the verdict: what each side has of a few orders. */
import { orderId } from "../../src/wire/order-id.ts";
import {
  type ClientAnswer,
  digestOf,
  type History,
  type LedgerRow,
  type TopicRecord,
} from "../history/history.ts";

/** The id of the order that the client sent under this key. */
export const sampleId = (key: string, customer = "c1"): string => orderId(customer, key);

/** What the client was told of an order; accepted at the first try by default, all of it at time 0. */
export function told(key: string, changes: Partial<ClientAnswer> = {}): ClientAnswer {
  const { customer = "c1", fate = "accepted" } = changes;
  const status = { accepted: 202, refused: 503, unknown: 504 }[fate];
  const sent = "single" as const;
  const answer = {
    key,
    customer,
    sent,
    startedMs: 0,
    endedMs: 0,
    attempts: 1,
    firstStatus: status,
    status,
    fate,
  };
  return { ...answer, ...(fate === "accepted" && { id: sampleId(key, customer) }), ...changes };
}

/** A record of an order. */
export const record = (key: string, offset: number, changes: Partial<TopicRecord> = {}): TopicRecord => ({
  id: sampleId(key),
  partition: 0,
  offset,
  timestampMs: 0,
  ...changes,
});

/** The digest of what that client ordered. */
export const sampleDigest = (key: string, customer = "c1"): string =>
  digestOf({ key, customer, sent: "single" });

/** An order's row in the ledger. */
export const row = (key: string, offset: number, changes: Partial<LedgerRow> = {}): LedgerRow => ({
  id: sampleId(key),
  digest: sampleDigest(key),
  partition: 0,
  offset,
  handledAtMs: 0,
  deliveries: 1,
  ...changes,
});

/** An order's effect. */
export const effect = (key: string): { id: string } => ({ id: sampleId(key) });

/** A history with what is given, and nothing of what is not. */
export const history = (parts: Partial<History>): History => ({
  client: [],
  topic: [],
  ledger: [],
  effects: [],
  dead: [],
  commits: [],
  ...parts,
});
