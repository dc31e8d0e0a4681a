/**
 * What must hold of each process on its own: it handles a customer's orders in order; it repeats no effect that it knows is
 * done, begins none for who is to take over, and tells none that is done to stop; it gives no order up before its attempts or
 * its time are over, nor makes them in a row; it keeps no more of a poll than the records that wait. And it lets partitions go in
 * time, and where nothing keeps it from that, without a redelivery: nothing of theirs runs any more, and all that it finished
 * is committed.
 */
import type { ConsumerConfig } from "../../../src/config.ts";
import { Reject } from "../../../src/handling/handler.ts";
import type { Burial, Entry } from "../../../src/ledger/ledger.ts";
import { partyOf } from "../../../src/order.ts";
import type { PlacedOrder } from "../../../src/wire/validation.ts";
import type { Process } from "../clock.ts";
import type { Stored } from "../kafka/log.ts";
import type { Letters } from "../letters.ts";
import { createOutageWatch } from "./outages.ts";

/** The core's own bound on letting go is 10 s; and it looks at demands between two polls, at most 1.5 s apart where one fails. */
const longestReleaseMs = 12_000;
/** A release that took less was not broken off. */
const cleanReleaseMs = 9_000;
/** As long ago as this, a row was there for whoever asked before the effect. */
const knownAfterMs = 1_000;
/** It has met a demand by then: a poll and its waiting lie between, the longest after one that failed. */
const metAfterMs = 1_700;
/** With their waits, all attempts take longer than this but once in thousands of millions of orders. */
const fewestMsOfAttempts = 500;

/** How a partition is let go: since when it was owned, and its end demanded; whether the group still hears the process. */
export type Release = { partition: number; ownedSinceMs: number; demandedAtMs: number; isMember: boolean };

export type Conduct = ReturnType<typeof createConduct>;

/** What one process has; of effects: those since it let something go last. */
type Held = {
  /** Whether it has heard that a record is recorded. Unjudged: what is read again, or was when something before it was. */
  given: Map<Stored, "waits" | "recorded" | "unjudged">;
  givenAtMs: Map<Stored, number>;
  effects: Set<string>;
  /** Records whose bytes it copied out of their poll's. */
  copied: Set<Stored>;
  letters: Set<Stored>;
  /** Since when partitions are to be given up. */
  demandedAtMs: Map<number, number>;
  transactions: Set<{ entries: readonly Entry[]; sinceMs: number }>;
  outages: ReturnType<typeof createOutageWatch>;
};

export function createConduct(parts: {
  nowMs: () => number;
  ledger: { rows: ReadonlyMap<string, { atMs: number }> };
  letters: Letters;
  isFinished: (record: Stored) => boolean;
  isInLog: (record: Stored) => boolean;
  /** What the next owner of a partition would be given. */
  comesAgain: (partition: number) => readonly Stored[];
  settings: Pick<
    ConsumerConfig,
    "HANDLER_ATTEMPTS" | "HANDLER_TIMEOUT_MS" | "RETRY_TIMEOUT_MS" | "RETRY_MAX_MS"
  >;
  broken: (what: string) => void;
}) {
  const { settings, nowMs, ledger, letters, isFinished, isInLog, comesAgain, broken } = parts;
  const processes = new Map<Process, Held>();
  const of = (process: Process): Held => {
    const known = processes.get(process);
    if (known) return known;
    const held: Held = {
      ...{
        given: new Map(),
        givenAtMs: new Map(),
        effects: new Set(),
        copied: new Set(),
        letters: new Set(),
      },
      ...{ demandedAtMs: new Map(), transactions: new Set() },
      outages: createOutageWatch(nowMs),
    };
    processes.set(process, held);
    return held;
  };
  const wasFrozen = ({ frozenUntilMs }: Process, sinceMs: number) => frozenUntilMs >= sinceMs;
  const isAt =
    ({ order, partition, offset }: Entry) =>
    (one: Stored): boolean =>
      one.offset === offset && one.partition === partition && one.order?.id === order.id;
  /** Where an entry comes from. Unknown where it had the same order at the same place of a log that is no more. */
  function recordOf({ given }: Held, entry: Entry): Stored | undefined {
    const [record, other] = given.keys().filter(isAt(entry)).take(2);
    return record && !other && isInLog(record) ? record : undefined;
  }
  /** It is not finished, and nobody waits for it: neither a letter that is on its way nor another order under its id. */
  const isOpen = (one: Stored): boolean =>
    one.order !== undefined &&
    !isFinished(one) &&
    !letters.wasSent(one.key) &&
    !ledger.rows.has(one.order.id);

  return {
    /** @param counts whether it may take it on: it is not about to lose the partition, nor takes the log for another one */
    given(process: Process, record: Stored, counts: boolean): void {
      const { given, givenAtMs } = of(process);
      if (!given.has(record)) givenAtMs.set(record, nowMs());
      given.set(record, counts && !given.has(record) ? "waits" : "unjudged");
      for (const one of given.keys())
        if (one.partition === record.partition && one.offset > record.offset) given.set(one, "unjudged");
    },
    copied: (process: Process, record: Stored): unknown => of(process).copied.add(record),
    /** A dead letter is sent. @returns what is to be called when it is acknowledged, or no longer waited for */
    letter(process: Process, record: Stored, { reason, attempts }: Pick<Burial, "reason" | "attempts">) {
      const { letters, givenAtMs } = of(process);
      const sinceMs = nowMs() - (givenAtMs.get(record) ?? Number.NEGATIVE_INFINITY);
      const isFinal = /^(Reject|conflict|undecodable)\b/.test(reason);
      const isSpent = attempts >= settings.HANDLER_ATTEMPTS;
      if (!isFinal && !isSpent && sinceMs < settings.RETRY_TIMEOUT_MS - settings.RETRY_MAX_MS)
        broken(`${process.name} gives ${record.key} up after ${attempts} attempts: ${reason}`);
      if (!isFinal && isSpent && sinceMs < fewestMsOfAttempts)
        broken(`${process.name} gives ${record.key} up ${sinceMs} ms after it came`);
      letters.add(record);
      return () => void letters.delete(record);
    },
    demanded(process: Process, partitions: readonly number[]): void {
      for (const partition of partitions) of(process).demandedAtMs.set(partition, nowMs());
    },
    /** A handler with an effect elsewhere is called. @returns what is to be told its end */
    effect(process: Process, order: PlacedOrder, signal: AbortSignal) {
      const { id } = order;
      const { effects, given, demandedAtMs, outages } = of(process);
      const attempts = outages.begins(id);
      if (attempts) broken(`${process.name} begins ${attempts} attempts while all fail`);
      let done = false;
      const sinceMs = nowMs();
      const row = ledger.rows.get(id);
      if (effects.has(id)) broken(`${process.name} does the effect of ${id} again`);
      const longKnown = row && row.atMs < sinceMs - knownAfterMs;
      if (longKnown && !wasFrozen(process, sinceMs - knownAfterMs))
        broken(`${process.name} does the effect of ${id}, which the ledger has`);
      const records = [...given.keys()].filter(({ order }) => order?.id === id);
      const leaves = ({ partition }: Stored) =>
        (demandedAtMs.get(partition) ?? Number.POSITIVE_INFINITY) < sinceMs - metAfterMs;
      if (records.length > 0 && records.every(leaves) && !wasFrozen(process, sinceMs - metAfterMs))
        broken(`${process.name} begins the effect of ${id} for a partition that it is to give up`);
      signal.addEventListener("abort", () => {
        if (done && signal.reason?.name === "TimeoutError")
          broken(`${process.name} tells ${id} to stop when its effect is done`);
      });
      return {
        done(): void {
          done = nowMs() < sinceMs + settings.HANDLER_TIMEOUT_MS;
          if (done && !wasFrozen(process, sinceMs)) effects.add(id);
          outages.handled();
        },
        failed(error: unknown): void {
          if (!(error instanceof Reject)) outages.failed(order);
        },
      };
    },
    /** A transaction begins. @returns what is to be called with its end as the process hears it: which are recorded, if any */
    transaction(process: Process, entries: readonly Entry[]) {
      const held = of(process);
      const { given, copied, transactions } = held;
      const one = { entries, sinceMs: nowMs() };
      for (const entry of entries) {
        const record = recordOf(held, entry);
        if (record && !copied.has(record)) broken(`${process.name} keeps all that came with ${record.key}`);
      }
      transactions.add(one);
      return (recorded: readonly Entry[]): void => {
        transactions.delete(one);
        for (const entry of recorded) {
          const record = recordOf(held, entry);
          if (record && given.get(record) === "waits") given.set(record, "recorded");
        }
      };
    },
    /** Rows of a process are committed. */
    inserted(process: Process, rows: readonly Entry[]): void {
      const { given } = of(process);
      for (const row of rows) {
        const record = recordOf(of(process), row);
        if (!record || given.get(record) === "unjudged") continue;
        const customer = partyOf(row.order);
        const isBefore = ({ partition, offset, order }: Stored) =>
          partition === record.partition && offset < record.offset && order && partyOf(order) === customer;
        const before = given.keys().find((one) => isBefore(one) && isOpen(one) && isInLog(one));
        if (before) broken(`${process.name} has handled ${record.key} before ${before.key} of its customer`);
      }
    },
    letGo(process: Process, { partition, ownedSinceMs, demandedAtMs, isMember }: Release): void {
      const held = of(process);
      const { given, effects, letters, transactions, demandedAtMs: demands } = held;
      const tookMs = nowMs() - Math.max(demandedAtMs, process.frozenUntilMs);
      if (tookMs > longestReleaseMs) broken(`${process.name} lets ${partition} go after ${tookMs} ms`);
      const ofIt = [...given.keys()].filter((record) => record.partition === partition);
      if (isMember && nowMs() - demandedAtMs < cleanReleaseMs) {
        const again = comesAgain(partition).find((record) => given.get(record) === "recorded");
        if (again) broken(`${process.name} lets ${partition} go, and ${again.key} was not committed`);
        for (const { entries, sinceMs } of transactions)
          if (
            sinceMs >= ownedSinceMs &&
            entries.some((entry) => recordOf(held, entry)?.partition === partition)
          )
            broken(`${process.name} lets ${partition} go in the middle of a transaction`);
        if (ofIt.some((record) => letters.has(record)))
          broken(`${process.name} lets ${partition} go before a letter of it is acknowledged`);
      }
      demands.delete(partition);
      for (const record of ofIt) given.delete(record);
      effects.clear();
    },
  };
}
