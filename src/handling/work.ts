/** A delivered record on its way through a consumer, and the ownership of the partition that it came from. */
import type { DeliveredRecord } from "../kafka/fetched.ts";
import type { CommittedOffset, Start } from "../kafka/places.ts";
import type { Entry } from "../ledger/ledger.ts";
import { partyOf } from "../order.ts";
import { contentOf } from "../wire/canonical.ts";
import { isUuid } from "../wire/order-id.ts";
import { decodePlacedOrder } from "../wire/validation.ts";
import { createOffsetTracker, type InHand, type OffsetTracker } from "./offsets.ts";

export type OwnedPartition = ReturnType<typeof ownPartition>;

/** An ownership, from assignment to revocation. @param start, topicId as a tracker's */
export function ownPartition(partition: number, start: CommittedOffset | undefined, topicId: () => string) {
  const inHand: InHand = { records: 0, bytes: 0 };
  const revoked = new AbortController();
  return {
    partition,
    /** Of the topic as it is now: another one when that was made anew. */
    offsets: createOffsetTracker(start, topicId, inHand),
    inHand,
    /** Aborts when it is to be given up: nothing more is taken on or begun, and what runs may end. */
    revoked,
    get leaving(): boolean {
      return revoked.signal.aborted;
    },
    /** Aborts when what runs may not end: handlers are told to stop. */
    stopped: new AbortController(),
    /** Records whose handling, or whose dead letter, has begun and not ended. */
    running: 0,
    waiting: new Set<Work>(),
    paused: false,
    /** From where it has still to be read, at first too, for only then is a place confirmed: until then nothing is taken on. */
    rewindTo: start?.offset as Start["offset"] | undefined,
    /** Somebody else's before this one's last commit, or not known how far it is done: nothing is committed. */
    lost: false,
  };
}

/** One record, where it belongs, what it says, and how often it was tried. All times are the clock's. */
export class Work {
  readonly decoded: { entry: Entry } | { fault: string };
  /** Orders of one customer are handled in order; an undecodable record is a customer of its own. */
  readonly customer: string;
  /** Attempts that failed and were counted; when the first of them began, and failed; how often the breaker had opened. */
  attempts = 0;
  begunAtMs: number | undefined;
  failedAtMs: number | undefined;
  openings = 0;
  /** All failures, whosever fault they were: they make the next wait longer. */
  failures = 0;
  /** When the next attempt may begin, whether it waits for that itself or for a dependency, and why the last failed. */
  notBeforeMs = 0;
  waitsFor: "attempt" | "dependency" = "attempt";
  reason = "";
  /** What failed once shares no transaction any more. */
  alone = false;
  /** Its effect elsewhere is done, and only not recorded yet. */
  effected = false;
  /** Whatever is in the record, this does not throw: what can't be decoded says so. @param tracker that took it on */
  constructor(
    readonly record: DeliveredRecord,
    readonly owner: OwnedPartition,
    readonly tracker: OffsetTracker,
  ) {
    const { value, partition, offset } = record;
    try {
      const order = decodePlacedOrder(value);
      const digest = Bun.CryptoHasher.hash("sha256", contentOf(order), "base64url");
      this.decoded = { entry: { order, digest, partition, offset } };
      this.customer = partyOf(order);
    } catch (error) {
      this.decoded = { fault: (error as Error).message };
      this.customer = `\u0000${partition}/${offset}`;
    }
  }
  get entry(): Entry {
    if ("entry" in this.decoded) return this.decoded.entry;
    throw new Error("an undecodable record has no order");
  }
  /** Also of a record that this version can't decode, e.g. of a later one: its key is the order's id. */
  get orderId(): string | null {
    if ("entry" in this.decoded) return this.decoded.entry.order.id;
    const key = this.record.key?.toString("latin1") ?? "";
    return isUuid(key) ? key : null;
  }
  /** A reason without what the order says, which errors of handlers and databases repeat: no log has a customer's words. */
  forLog(reason: string): string {
    if ("fault" in this.decoded) return "undecodable: its letter says why";
    const said: string[] = [];
    JSON.stringify(this.entry.order, (_, value) =>
      typeof value === "object" ? value : said.push(`${value}`, JSON.stringify(`${value}`).slice(1, -1)),
    );
    const longestFirst = said.filter(({ length }) => length > 1).sort((a, b) => b.length - a.length);
    return longestFirst.reduce((text, word) => text.replaceAll(word, "…"), reason.slice(0, 100_000));
  }
}
