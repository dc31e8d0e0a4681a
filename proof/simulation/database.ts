/** The ledger's database, one for all processes: whose rows there are, who waits for whose, and how a commit ends. */
import {
  BatchError,
  type Entry,
  type Failure,
  LedgerUnavailableError,
  type LedgerView,
  type Verdict,
} from "../../src/ledger/ledger.ts";
import { verdictOf } from "../../src/ledger/rows.ts";
import type { Conduct } from "./checks/conduct.ts";
import type { Process, Random, Time } from "./clock.ts";
import type { Habits } from "./habits.ts";
import type { Orders } from "./orders.ts";

/** By then every statement is over, on the server or with its connection. */
const mostSilentMs = 15_000;

/** A handled order, how often its effect was committed with it, and when. */
type Row = { entry: Entry; effects: number; atMs: number };

export const unavailable = () => new LedgerUnavailableError("the connection broke");

export function createDatabase(options: {
  random: Random;
  time: Time;
  habits: Habits;
  orders: Orders;
  conduct: () => Pick<Conduct, "inserted">;
  say: (what: string) => void;
}) {
  const { random, time, habits, orders, conduct, say } = options;
  const itself = { name: "ledger", alive: true, frozenUntilMs: 0 };
  const world = time.clockOf(itself);
  const rows = new Map<string, Row>();
  const locks = createLocks();
  /** What goes wrong just now: it is away; it breaks off at the commit, which may have been made; it is slow; it never answers. */
  const troubles = { down: false, broken: 0, slow: 0, silent: false };

  async function work(): Promise<void> {
    await world.sleep(random.chance(troubles.slow) ? random.int(100, 4_000) : random.int(0, habits.ledgerMs));
    if (troubles.down) throw unavailable();
  }

  async function write(
    process: Process,
    entries: readonly Entry[],
    fresh: readonly Entry[],
    effects: ReadonlyMap<string, number>,
  ): Promise<void> {
    await work();
    if (fresh.some(({ order }) => orders.planOf(order.id)?.refused)) {
      const failure: Failure = { place: "record", error: "check" };
      const failures = new Map(entries.length > 1 ? [] : entries.map((entry) => [entry, failure] as const));
      throw new BatchError(failures, new Error("violates a deferred constraint"));
    }
    const breaks = random.chance(troubles.broken);
    if (breaks && random.chance(0.5)) throw unavailable();
    for (const entry of fresh)
      rows.set(entry.order.id, { entry, effects: effects.get(entry.order.id) ?? 0, atMs: time.nowMs() });
    if (fresh.length > 0) say(`the ledger has ${fresh.map(({ order }) => order.id.slice(-4))}`);
    conduct().inserted(process, fresh);
    if (breaks) throw unavailable();
  }

  /** The answer to a commit. It may never come: then the connection is given up in the end. */
  async function answered(commit: Promise<void>): Promise<void> {
    await commit;
    if (!troubles.silent) return;
    await world.sleep(random.int(1_000, mostSilentMs));
    throw unavailable();
  }

  return {
    rows,
    troubles,
    work,
    locks,
    insert(entries: readonly Entry[]): { verdicts: Verdict[]; fresh: Entry[] } {
      const mine = new Map<string, Entry>();
      const verdicts = entries.map((entry): Verdict => {
        const { id } = entry.order;
        const found = rows.get(id)?.entry ?? mine.get(id);
        if (found) return verdictOf(entry, found);
        mine.set(id, entry);
        return "handled";
      });
      return { verdicts, fresh: [...mine.values()] };
    },
    /** The commit, from where on the process has no say. */
    commit(
      process: Process,
      entries: readonly Entry[],
      fresh: readonly Entry[],
      effects: ReadonlyMap<string, number>,
    ): Promise<void> {
      locks.take(entries, itself);
      const written = write(process, entries, fresh, effects);
      return answered(written.finally(() => locks.release(entries, itself)));
    },
    viewOf(id: string): LedgerView[] {
      const entry = rows.get(id)?.entry;
      return entry ? [{ ...entry, id, status: "handled", handledAt: "", deliveries: 1 }] : [];
    },
  };
}

/** Locks of orders that a transaction has inserted: another one waits for its end. */
function createLocks() {
  const holders = new Map<string, Process>();
  return {
    isTaken: ({ order }: Entry): boolean => holders.has(order.id),
    take(entries: readonly Entry[], holder: Process): void {
      for (const { order } of entries) holders.set(order.id, holder);
    },
    release(entries: readonly Entry[], holder: Process): void {
      for (const { order } of entries) if (holders.get(order.id) === holder) holders.delete(order.id);
    },
    /** Its open transactions are rolled back. */
    died(process: Process): void {
      for (const [id, holder] of holders) if (holder === process) holders.delete(id);
    },
  };
}
