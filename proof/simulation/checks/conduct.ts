/**
 * What must hold of each process on its own: it handles a customer's orders in order; it repeats no effect that it knows is
 * done, begins none for who is to take over, and tells none that is done to stop; it gives no order up before its attempts or
 * its time are over, nor makes them in a row; it keeps no more of a poll than the records that wait. And it lets partitions go in
 * time, and where nothing keeps it from that, without a redelivery: nothing of theirs runs any more, and all that it finished
 * is committed.
 */
import type { ConsumerConfig } from "../../../src/config.ts";
import type { Burial, Entry } from "../../../src/ledger/ledger.ts";
import { partyOf } from "../../../src/order.ts";
import type { PlacedOrder } from "../../../src/wire/validation.ts";
import type { Process } from "../clock.ts";
import type { Stored } from "../kafka/log.ts";
import type { Letters } from "../letters.ts";
import { createEffectRules } from "./effects.ts";
import { createHeld, type Held } from "./held.ts";

/** The core's own bound on letting go is 10 s; and it looks at demands between two polls, at most 1.5 s apart where one fails. */
const longestReleaseMs = 12_000;
/** A release that took less was not broken off. */
const cleanReleaseMs = 9_000;
/** With their waits, ten attempts take longer than this but once in thousands of millions of orders. */
const fewestMsOfAttempts = 500;

/** How a partition is let go: since when it was owned, and its end demanded; whether the group still hears the process. */
export type Release = { partition: number; ownedSinceMs: number; demandedAtMs: number; isMember: boolean };

export type Conduct = ReturnType<typeof createConduct>;

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
  const processes = new Map<Process, Held & { effects: ReturnType<typeof createEffectRules> }>();
  const of = (process: Process) => {
    const known = processes.get(process);
    if (known) return known;
    const held = createHeld(nowMs, isInLog);
    const first = { ...held, effects: createEffectRules(process, held, parts) };
    processes.set(process, first);
    return first;
  };
  /** It is not finished, and nobody waits for it: neither a letter that is on its way nor another order under its id. */
  const isOpen = (one: Stored): boolean =>
    one.order !== undefined &&
    !isFinished(one) &&
    !letters.wasSent(one.key) &&
    !ledger.rows.has(one.order.id);

  return {
    given: (process: Process, record: Stored, counts: boolean): void => of(process).take(record, counts),
    copied: (process: Process, record: Stored): unknown => of(process).copied.add(record),
    /** A dead letter is sent. @returns what is to be called when it is acknowledged, or no longer waited for */
    letter(process: Process, record: Stored, { reason, attempts }: Pick<Burial, "reason" | "attempts">) {
      const { letters, givenAtMs } = of(process);
      const sinceMs = nowMs() - (givenAtMs.get(record) ?? Number.NEGATIVE_INFINITY);
      const wrong = wrongOfGivingUp(attempts, sinceMs, reason, settings);
      if (wrong) broken(`${process.name} gives ${record.key} up ${wrong}`);
      letters.add(record);
      return () => void letters.delete(record);
    },
    demanded(process: Process, partitions: readonly number[]): void {
      for (const partition of partitions) of(process).demandedAtMs.set(partition, nowMs());
      of(process).effects.forget();
    },
    effect: (process: Process, order: PlacedOrder, signal: AbortSignal) =>
      of(process).effects.begins(order, signal),
    /** A transaction begins. @returns what is to be called with its end as the process hears it: which are recorded, if any */
    transaction(process: Process, entries: readonly Entry[]) {
      const { given, copied, transactions, recordOf } = of(process);
      const one = { entries, sinceMs: nowMs() };
      for (const entry of entries) {
        const record = recordOf(entry);
        if (record && !copied.has(record)) broken(`${process.name} keeps all that came with ${record.key}`);
      }
      transactions.add(one);
      return (recorded: readonly Entry[]): void => {
        transactions.delete(one);
        for (const entry of recorded) {
          const record = recordOf(entry);
          if (record && given.get(record) === "waits") given.set(record, "recorded");
        }
      };
    },
    /** Rows of a process are committed. */
    inserted(process: Process, rows: readonly Entry[]): void {
      const { given, recordOf } = of(process);
      for (const row of rows) {
        const record = recordOf(row);
        if (!record || given.get(record) === "unjudged") continue;
        const customer = partyOf(row.order);
        const isBefore = ({ partition, offset, order }: Stored) =>
          partition === record.partition && offset < record.offset && order && partyOf(order) === customer;
        const before = given.keys().find((one) => isBefore(one) && isOpen(one) && isInLog(one));
        if (before) broken(`${process.name} has handled ${record.key} before ${before.key} of its customer`);
      }
    },
    letGo(process: Process, release: Release): void {
      const held = of(process);
      const { partition, demandedAtMs, isMember } = release;
      const tookMs = nowMs() - Math.max(demandedAtMs, process.frozenUntilMs);
      if (tookMs > longestReleaseMs) broken(`${process.name} lets ${partition} go after ${tookMs} ms`);
      if (isMember && nowMs() - demandedAtMs < cleanReleaseMs) {
        const wrong = wrongOfLettingGo(held, release, comesAgain(partition));
        if (wrong) broken(`${process.name} lets ${partition} go${wrong}`);
      }
      held.demandedAtMs.delete(partition);
      for (const record of held.given.keys()) if (record.partition === partition) held.given.delete(record);
      held.effects.letGo();
    },
  };
}

/** What is wrong where nothing kept a process from letting a partition go as it should; undefined: nothing is. */
function wrongOfLettingGo(
  { given, letters, transactions, recordOf }: Held,
  { partition, ownedSinceMs }: Release,
  comesAgain: readonly Stored[],
): string | undefined {
  const again = comesAgain.find((record) => given.get(record) === "recorded");
  if (again) return `, and ${again.key} was not committed`;
  for (const { entries, sinceMs } of transactions)
    if (sinceMs >= ownedSinceMs && entries.some((entry) => recordOf(entry)?.partition === partition))
      return " in the middle of a transaction";
  const isOfIt = (letter: Stored) => letter.partition === partition && given.has(letter);
  return letters.values().some(isOfIt) ? " before a letter of it is acknowledged" : undefined;
}

/** What is wrong with giving a record up after so many attempts, so long after it came; undefined: nothing is. */
function wrongOfGivingUp(
  attempts: number,
  sinceMs: number,
  reason: string,
  settings: Pick<ConsumerConfig, "HANDLER_ATTEMPTS" | "RETRY_TIMEOUT_MS" | "RETRY_MAX_MS">,
): string | undefined {
  if (/^(Reject|conflict|undecodable)\b/.test(reason)) return undefined;
  if (attempts >= settings.HANDLER_ATTEMPTS)
    return attempts >= 10 && sinceMs < fewestMsOfAttempts ? `${sinceMs} ms after it came` : undefined;
  const isTimeOver = sinceMs >= settings.RETRY_TIMEOUT_MS - settings.RETRY_MAX_MS;
  return isTimeOver ? undefined : `after ${attempts} attempts: ${reason}`;
}
