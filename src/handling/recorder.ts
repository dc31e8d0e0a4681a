/** Orders into the ledger, in as few transactions as it takes to tell who failed from who did not; waits while it is down. */
import type { ConsumerConfig } from "../config.ts";
import { BatchError, type Entry, type Ledger, type Tx, type Verdict } from "../ledger/ledger.ts";
import { backoffMs } from "../runtime/clock.ts";
import { type Deadline, type Fault, faultOf, startDeadline } from "./attempt.ts";
import type { OwnershipParts } from "./ownership.ts";
import type { Work } from "./work.ts";

const ledgerRetryMs = [100, 1_000] as const;
/** Longest time that a slow order may hold up the others of its batch: then it goes alone, with its full time. */
const sharedTimeoutMs = 1_000;
/** Transactions that the ledger breaks off in a row when handlers have begun: then it is what one of them does to it. */
const mostBrokenOff = 10;
/** Fewer where others wait and it is known who met it first, and so goes alone; or none has begun: they may be too many. */
const fewBrokenOff = 3;

/** How it ended for each order; none for one that has another turn: it, or an earlier one of its customer, held others up. */
export type Ends = Map<Work, Verdict | Fault>;

type ApplyWork = (work: Work, deadline: Deadline, tx: Tx) => Promise<void>;
type Transact = (works: Work[]) => Promise<Awaited<ReturnType<Ledger["record"]>> | undefined>;

/** Within it the limit doubles; from there up to the longest it stays; beyond, a batch might not end in its time. */
const [targetMs, longestMs] = [400, 700];

/**
 * How many orders share a transaction: as many as their handlers, side by side, finish within a part of the time that a
 * batch has. The ledger's own time is left out: most of it is the same for one order as for a thousand.
 */
export function createBatchLimit(maxOrders: number) {
  let limit = Math.min(64, maxOrders);
  return {
    current: (): number => limit,
    succeeded(orders: number, handlersMs: number): void {
      if (handlersMs <= targetMs) limit = Math.max(limit, Math.min(orders * 2, maxOrders));
      else if (handlersMs > longestMs) limit = Math.max(1, Math.floor((orders * targetMs) / handlersMs));
    },
    brokenOff(): void {
      limit = 1;
    },
  };
}

export type RecorderParts = Omit<OwnershipParts, "consumer"> & { ledger: Ledger; random: () => number };

export function createRecorder(config: ConsumerConfig, parts: RecorderParts) {
  const { ledger, metrics, log, clock, random } = parts;
  const limit = createBatchLimit(config.LEDGER_BATCH_ORDERS);
  const fullTimeoutMs = Math.min(config.HANDLER_TIMEOUT_MS, ledger.longestApplyMs ?? Infinity);
  let down = ""; // What its failures say meanwhile, as the end of a sentence.
  /** Repeats what failed for the ledger's sake. @returns undefined when every partition was taken away @throws BatchError */
  async function whileLedgerIsDown<T>(works: Work[], action: () => Promise<T>): Promise<T | undefined> {
    for (let failures = 1; failures === 1 || works.some(({ owner }) => !owner.leaving); failures += 1) {
      try {
        const result = await action();
        metrics.ledgerUp.set(1);
        down = "";
        return result;
      } catch (error) {
        if (error instanceof BatchError) throw error;
        metrics.ledgerUp.set(0);
        down = `: the ledger is unavailable: ${(error as Error).message}`;
        if (failures === 1) log.error({ err: error }, "the ledger is unavailable, waiting for it");
        await clock.sleep(backoffMs(failures, ...ledgerRetryMs, random));
      }
    }
  }
  /** One transaction. The deadline of its handlers counts from the first one's start: the ledger's own time is not theirs. */
  function transaction(works: Work[], apply: ApplyWork, shared: boolean) {
    const timeoutMs = shared ? Math.min(sharedTimeoutMs, fullTimeoutMs) : fullTimeoutMs;
    const byEntry = new Map(works.map((work) => [work.entry, work]));
    let [brokenOff, unbegun] = [0, 0];
    return whileLedgerIsDown(works, async () => {
      let deadline: Deadline | undefined;
      let [startMs, endMs] = [0, 0];
      const begun = new Set<Entry>();
      let suspect: Entry | undefined;
      const begin = async (entry: Entry, tx: Tx) => {
        deadline ??= startDeadline(clock, timeoutMs);
        const sinceMs = clock.nowMs();
        // Applied again, for another's sake: what was in vain says nothing of how long they take.
        if (begun.has(entry)) begun.clear();
        if (begun.size === 0) startMs = sinceMs;
        begun.add(entry);
        const applied = apply(byEntry.get(entry) as Work, deadline, tx);
        // It let nothing else go on, which is what the database ends transactions for.
        if (clock.nowMs() > sinceMs + timeoutMs) [suspect, brokenOff] = [entry, mostBrokenOff];
        applied.catch(() => (suspect ??= entry));
        await applied;
        endMs = clock.nowMs();
      };
      try {
        const recorded = await ledger.record([...byEntry.keys()], begin, timeoutMs);
        // How long an order takes that goes alone says nothing of the others.
        if (endMs && !works[0]?.alone) limit.succeeded(works.length, endMs - startMs);
        return recorded;
      } catch (error) {
        if (error instanceof BatchError) down = "";
        if (error instanceof BatchError) throw error;
        [brokenOff, unbegun] = deadline ? [brokenOff + 1, 0] : [0, unbegun + 1];
        // A connection that breaks tells the transaction before those that are in it.
        await clock.nextTurn();
        // What goes alone waits with the ledger, unless that does its part for others: then it waits out of their way.
        if (!shared && down) unbegun = 0;
        if (works.length === 1) suspect = unbegun > 0 ? works[0]?.entry : undefined;
        if (unbegun < fewBrokenOff && brokenOff < (suspect ? fewBrokenOff : mostBrokenOff)) throw error;
        throw new BatchError(new Map(suspect && [[suspect, { place: "ledger", error }]]), error);
      } finally {
        deadline?.stop();
      }
    });
  }
  const record = (works: Work[], apply: ApplyWork, shared = works.length > 1): Promise<Ends> =>
    recordInParts(works, shared, limit.brokenOff, (part) => transaction(part, apply, shared));
  return { record, whileLedgerIsDown, mostOrders: limit.current, ledgerDown: () => down };
}

/** Leaves out who failed and records the others; by halves where no culprit is known. @param shared others may wait for it */
async function recordInParts(works: Work[], shared: boolean, brokenOff: () => void, transact: Transact) {
  const ends: Ends = new Map();
  const failedCustomers = new Set<string>();
  let lateRounds = 0;
  /** @returns true, unless all of them were taken away while the ledger was down: then nothing more is tried */
  async function part(all: Work[]): Promise<boolean | undefined> {
    const works = all.filter(({ customer }) => !failedCustomers.has(customer));
    // Time that is over twice is not one order's doing: what is left has its turn later, in smaller batches.
    if (works.length === 0 || lateRounds > 1) return true;
    const recorded = await transact(works).catch((error) => {
      if (!(error instanceof BatchError)) throw error;
      const lone = works.length === 1 ? { place: undefined, error: error.cause } : undefined;
      return works.map(({ entry }) => error.failures.get(entry) ?? lone);
    });
    if (!recorded) return;
    let late = 0;
    for (const [index, work] of works.entries()) {
      const end = recorded[index];
      if (typeof end === "string") ends.set(work, end);
      if (typeof end !== "object") continue;
      const fault = faultOf(end.error);
      const isLate = fault.kind === "late" || end.place === "ledger";
      late += Number(isLate);
      // The time of a batch is too short to count as an attempt's: who needs more goes alone.
      if (shared && isLate) work.alone = true;
      else ends.set(work, end.place === "ledger" ? { ...fault, kind: "later" } : fault);
      failedCustomers.add(work.customer);
    }
    const rest = works.filter((_, index) => !recorded[index]);
    lateRounds += Number(late > 0);
    if (shared && (lateRounds > 1 || late * 10 > all.length)) brokenOff();
    const half = rest.length < works.length ? rest.length : Math.ceil(rest.length / 2);
    return (await part(rest.slice(0, half))) && part(rest.slice(half));
  }
  await part(works);
  return ends;
}
