/** What a stage answers when it is asked: the way of an order, and dead letters. */

/** One stop of the way; times in ms since the epoch. */
export interface Stop {
  name: string;
  /** In words: by whom, with what outcome. */
  what: string;
  fromMs: number;
  toMs: number;
  /** The file of this project that does it. */
  code: string;
}

export interface Way {
  id: string;
  status: "accepted" | "refused" | "unknown" | "handled" | "dead" | "not found";
  stops: Stop[];
}

/** A dead letter in a list; null where its bytes or headers do not say. */
export interface ListedLetter {
  partition: number;
  offset: number;
  source: { topic: string; partition: number; offset: number } | null;
  orderId: string | null;
  customer: string | null;
  reason: string;
  attempts: number | null;
  /** RFC 3339. */
  deadAt: string;
}

/** All that were meant, counted by reason, the most frequent first; the newest of them. */
export interface LetterList {
  count: number;
  reasons: { reason: string; count: number }[];
  letters: ListedLetter[];
}

/** One letter in full; long texts are cut. */
export interface DeadLetter extends ListedLetter {
  key: string | null;
  headers: [name: string, text: string][];
  /** As UTF-8; null: a stub. */
  value: string | null;
  /** Size of the whole value. */
  bytes: number;
}

/** What a redrive would send. */
export interface LetterPlan {
  letters: number;
  /** Those by PARTITION/OFFSET that can have no second effect: the ledger has their order. */
  handled: string[];
  /** The last one that is planned, where there are more. */
  stoppedAt?: string;
}
