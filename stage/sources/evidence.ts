/** What can be known of orders past the tiers, whose word is on trial: by the ledger, and by the ends of the log. */

/** What the ledger has of an order. */
export interface Found {
  deliveries: number;
  effects: number;
  dead: boolean;
  /** Of what was handled. */
  digest?: string | undefined;
}

/** All that the ledger has of one order; times in ms since the epoch. */
export interface Trace {
  placedMs?: number | undefined;
  handledMs?: number | undefined;
  partition: number;
  offset: number;
  deliveries: number;
  effects: number;
  /** Why it was given up, after how many attempts. */
  dead?: { atMs: number; reason: string; attempts: number } | undefined;
}

export interface Evidence {
  /** What is known of these orders; those of which nothing is are missing. @throws when the ledger can't be read */
  look(ids: readonly string[]): Promise<Map<string, Found>>;
  /** @returns undefined: nothing; @throws when the ledger can't be read */
  trace(id: string): Promise<Trace | undefined>;
  /** @throws when some broker does not tell */
  offsets(): Promise<Offsets>;
}

/** Ends of all partitions, and what the group has committed of each. */
export interface Offsets {
  /** Before the first of them was asked for, ms of the clock that nobody can set. */
  atMs: number;
  ends: Map<number, number>;
  committed: Map<number, number>;
}
