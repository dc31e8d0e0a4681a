/**
 * A model of the ledger's database, one for all processes, in the contract of src/ledger/ledger.ts: transactions that
 * wait for one another's rows, end with their process, and may be committed without its hearing so.
 */
import {
  applyByCustomer,
  BatchError,
  type Entry,
  type Failure,
  type Ledger,
  LedgerUnavailableError,
  type LedgerView,
  type SqlValue,
  type Tx,
  type Verdict,
} from "../../src/ledger/ledger.ts";
import { verdictOf } from "../../src/ledger/rows.ts";
import type { Conduct } from "./checks/conduct.ts";
import { type Clocked, heard, type Process, type Random, type Time } from "./clock.ts";
import type { Orders } from "./orders.ts";

/** By then every statement is over, on the server or with its connection. */
const mostSilentMs = 15_000;

/** A handled order, how often its effect was committed with it, and when. */
export type SimulatedRow = { entry: Entry; effects: number; atMs: number };
export type LedgerModel = ReturnType<typeof createSimulatedLedger>;

export function createSimulatedLedger(options: {
  random: Random;
  time: Time;
  orders: Orders;
  conduct: () => Pick<Conduct, "transaction" | "inserted">;
  say: (what: string) => void;
}) {
  const { random, time, orders, conduct, say } = options;
  const itself = { name: "ledger", alive: true, frozenUntilMs: 0 };
  const world = time.clockOf(itself);
  const rows = new Map<string, SimulatedRow>();
  /** Orders that a transaction has inserted: another one waits for its end. */
  const locked = new Map<string, Process>();
  /** What goes wrong just now: it is away; it breaks off at the commit, which may have been made; it is slow; it never answers. */
  const troubles = { down: false, broken: 0, slow: 0, silent: false };

  const unavailable = () => new LedgerUnavailableError("the connection broke");
  async function work(): Promise<void> {
    await world.sleep(random.chance(troubles.slow) ? random.int(100, 4_000) : random.int(0, 5));
    if (troubles.down) throw unavailable();
  }

  function insert(entries: readonly Entry[]): { verdicts: Verdict[]; fresh: Entry[] } {
    const mine = new Map<string, Entry>();
    const verdicts = entries.map((entry): Verdict => {
      const { id } = entry.order;
      const found = rows.get(id)?.entry ?? mine.get(id);
      if (found) return verdictOf(entry, found);
      mine.set(id, entry);
      return "handled";
    });
    return { verdicts, fresh: [...mine.values()] };
  }

  const viewOf = (id: string): LedgerView[] => {
    const entry = rows.get(id)?.entry;
    return entry ? [{ ...entry, id, status: "handled", handledAt: "", deliveries: 1 }] : [];
  };

  /** The commit, from where on the process has no say. */
  async function commit(
    process: Process,
    entries: readonly Entry[],
    fresh: readonly Entry[],
    effects: Map<string, number>,
  ): Promise<void> {
    await work();
    const refused = fresh.filter(({ order }) => orders.planOf(order.id)?.refused);
    if (refused.length > 0) {
      const failures =
        entries.length > 1
          ? []
          : [[entries[0] as Entry, { place: "record", error: "check" } as Failure] as const];
      throw new BatchError(new Map(failures), new Error("violates a deferred constraint"));
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

  /** The ledger as one process reaches it. */
  function of(process: Process, clock: Clocked): Ledger {
    const lock = (entries: readonly Entry[], holder: Process) => {
      for (const { order } of entries) locked.set(order.id, holder);
    };
    const unlock = (entries: readonly Entry[], holder: Process) => {
      for (const { order } of entries) if (locked.get(order.id) === holder) locked.delete(order.id);
    };
    async function record(
      entries: readonly Entry[],
      apply: Parameters<Ledger["record"]>[1],
      statementTimeoutMs = 10_000,
    ) {
      await heard(clock, work());
      const isLocked = ({ order }: Entry) => locked.has(order.id);
      while (entries.some(isLocked)) await clock.sleep(5);
      lock(entries, process);
      const { verdicts, fresh } = insert(entries);
      const effects = new Map<string, number>();
      const execute = (async (_: TemplateStringsArray, ...[id]: SqlValue[]) => {
        const plan = orders.planOf(id as string);
        if (plan?.statement === "breaks") throw unavailable();
        if (plan?.statement === "fails") throw new Error("syntax error");
        if (plan?.statement === "hangs") {
          await clock.sleep(statementTimeoutMs);
          throw new Error("canceling statement due to statement timeout");
        }
        effects.set(id as string, (effects.get(id as string) ?? 0) + 1);
        return [];
      }) as Tx;
      const applied = applyByCustomer(
        fresh,
        apply,
        () => execute,
        () => false,
        () => random.chance(0.5),
      );
      const { left, failures } = await applied.catch((error) => {
        unlock(entries, process);
        throw error;
      });
      const isLeft = ({ order }: Entry) => left.has(order.id);
      const written = fresh.filter((entry) => !isLeft(entry));
      lock(entries, itself);
      await heard(
        clock,
        answered(commit(process, entries, written, effects).finally(() => unlock(entries, itself))),
      );
      return entries.map((entry, at) => (isLeft(entry) ? failures.get(entry) : verdicts[at]));
    }

    /** Told whoever watches, with its end. */
    const watched: Ledger["record"] = async (entries, ...rest) => {
      const end = conduct().transaction(process, entries);
      try {
        const recorded = await record(entries, ...rest);
        // Of another order under its id there will be a letter.
        end(entries.filter((_, at) => typeof recorded[at] === "string" && recorded[at] !== "conflict"));
        return recorded;
      } catch (error) {
        end([]);
        throw error;
      }
    };

    return {
      open: () => Promise.resolve(),
      record: watched,
      find: (ids) =>
        heard(
          clock,
          work().then(() => new Map(ids.flatMap(viewOf).map((view) => [view.id, view]))),
        ),
      bury: () => heard(clock, work()),
      expire: async () => [],
      close: () => Promise.resolve(),
    };
  }

  return {
    of,
    rows,
    troubles,
    /** Its open transactions are rolled back. */
    died(process: Process): void {
      for (const [id, holder] of locked) if (holder === process) locked.delete(id);
    },
  };
}
