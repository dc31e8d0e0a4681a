/** A dead letter as an operator sees it, and the record that it was before: see src/handling/dead-letters.ts. */
import type { OutgoingRecord } from "../../src/kafka/sender.ts";
import { type Order, partyOf } from "../../src/order.ts";
import { isUuid } from "../../src/wire/order-id.ts";
import type { ReadRecord } from "../read-topic.ts";

const prefix = "dead.";
/** The latest time that there is, and negative the earliest (ECMAScript, 21.4.1.1); on a topic any number may stand for one. */
const latestMs = 8_640_000_000_000_000;

/** What is known of a letter; null where its bytes or headers do not say. */
export type Letter = {
  /** The letter's own place on the dead-letter topic. */
  partition: number;
  offset: number;
  source: { topic: string; partition: number; offset: number } | null;
  orderId: string | null;
  customer: string | null;
  reason: string;
  attempts: number | null;
  /** RFC 3339: when it was given up. */
  deadAt: string;
};

/** Which letters are meant: those to which everything given applies. */
export type Filter = {
  reason?: string;
  orderId?: string;
  customer?: string;
  sinceMs?: number;
  beforeMs?: number;
};

/** Reads what a letter says. Whatever is on the topic, this does not throw. */
export function letterOf(record: ReadRecord): Letter {
  const headers = ours(record);
  const number = (name: string) => {
    const text = headers.get(prefix + name) ?? "";
    return /^\d+$/.test(text) ? Number(text) : null;
  };
  const [topic, partition, offset] = [headers.get(`${prefix}topic`), number("partition"), number("offset")];
  const order = orderIn(record.value);
  const key = record.key?.toString() ?? "";
  const deadAtMs = Date.parse(headers.get(`${prefix}at`) ?? "") || record.timestampMs;
  return {
    partition: record.partition,
    offset: record.offset,
    source: topic && partition !== null && offset !== null ? { topic, partition, offset } : null,
    orderId: textOr(order.id, isUuid(key) ? key : null),
    customer: textOr(partyOf(order as Order), null),
    reason: headers.get(`${prefix}reason`) ?? "(none given)",
    attempts: number("attempts"),
    deadAt: new Date(Math.max(-latestMs, Math.min(deadAtMs, latestMs))).toISOString(),
  };
}

/** Whether a letter is meant by a filter. */
export function matches(letter: Letter, filter: Filter): boolean {
  const { reason, orderId, customer, sinceMs = Number.NEGATIVE_INFINITY, beforeMs = Infinity } = filter;
  const deadAtMs = Date.parse(letter.deadAt);
  return (
    (reason === undefined || letter.reason.includes(reason)) &&
    (orderId === undefined || letter.orderId === orderId) &&
    (customer === undefined || letter.customer === customer) &&
    deadAtMs >= sinceMs &&
    deadAtMs < beforeMs
  );
}

/** How many of a letter's headers are its record's: `dead.headers` says it; undefined for letters of before it. */
function ownHeaders({ headers }: ReadRecord): number | undefined {
  const at = headers.findLastIndex((header, n) => String(header[`${prefix}headers`]) === String(n));
  return at < 0 ? undefined : at;
}

/** The record as it was before it was given up: its bytes, key, headers and time, without what the letter added. */
export function original(
  record: ReadRecord,
): Pick<OutgoingRecord, "key" | "value" | "headers" | "timestampMs"> {
  const { key, value, headers } = record;
  const own = ownHeaders(record);
  const isOurs = (header: object) => Object.keys(header).some((name) => name.startsWith(prefix));
  if (own === undefined) return { key, value, headers: headers.filter((header) => !isOurs(header)) };
  const timestampMs = Number(ours(record).get(`${prefix}timestamp`));
  return { key, value, headers: headers.slice(0, own), ...(timestampMs > 0 && { timestampMs }) };
}

/** What the letter itself says, by name. */
const ours = (record: ReadRecord): Map<string, string> =>
  new Map(textHeaders({ headers: record.headers.slice(ownHeaders(record) ?? 0) }));

/** The digest of the value that a letter had to leave out; undefined for one that is whole. */
export function digestOfStub(record: ReadRecord): string | undefined {
  const said = ours(record);
  return said.has(`${prefix}cut`) ? said.get(`${prefix}sha256`) : undefined;
}

/** A record's headers as names and texts. */
export const textHeaders = ({ headers }: Pick<ReadRecord, "headers">): [string, string][] =>
  headers.flatMap((header) =>
    Object.entries(header).map(([name, value]): [string, string] => [name, String(value)]),
  );

function orderIn(value: Buffer | null): { id?: unknown } {
  try {
    return JSON.parse(value?.toString() ?? "") ?? {};
  } catch {
    return {}; // That it can't be decoded is why most letters are here.
  }
}

const textOr = <T>(value: unknown, otherwise: T): string | T =>
  typeof value === "string" ? value : otherwise;

/** So many letters, in words. */
export const counted = (letters: number): string => `${letters} dead ${letters === 1 ? "letter" : "letters"}`;
