/**
 * Orders into the ledger, in as few transactions as it takes to tell who failed from who did not: an order whose fault
 * it is keeps no other from being handled. A ledger that is down is waited for.
 */
import type { Clock } from "../clock.ts";
import {
  BatchError,
  type Entry,
  type Failure,
  type Ledger,
  type Tx,
  type Verdict,
} from "../ledger/ledger.ts";
import type { Logger } from "../log.ts";
import { type Deadline, startDeadline } from "./attempt.ts";
import { backoffMs } from "./backoff.ts";
import type { createBatchLimit } from "./batch-limit.ts";
import { faultOf } from "./handler.ts";
import type { HandlingMetrics } from "./metrics.ts";
import { entryOf, isOwned, type Work } from "./work.ts";

const ledgerRetryBaseMs = 100;
const ledgerRetryMaxMs = 1_000;

/** How it ended for each order; none for one that was not come to, because an earlier one of its customer failed. */
export type Ends = Map<Work, Verdict | Failure>;

/** Whether an order ran out of time, be it its handler or a statement. */
export const isLate = ({ error }: Failure): boolean => faultOf(error).kind === "late";

/** Applies an order; undefined when that is done already. */
export type ApplyWork = (work: Work, tx: Tx, deadline: Deadline) => Promise<void> | undefined;

/** Every partition of the works was taken away: nothing is left to do. */
export class Abandoned extends Error {}

/** @param parts.batchLimit is told how long handlers took together, and when many of a batch did not end in its time */
export function createRecorder(parts: {
  ledger: Ledger;
  metrics: HandlingMetrics;
  log: Logger;
  clock: Clock;
  random: () => number;
  batchLimit: Pick<ReturnType<typeof createBatchLimit>, "succeeded" | "brokenOff">;
}) {
  const { ledger, metrics, log, clock, random, batchLimit } = parts;

  /** Repeats what failed for the ledger's sake for as long as it takes. @throws BatchError, Abandoned */
  async function whileLedgerIsDown<T>(works: Work[], action: () => Promise<T>): Promise<T> {
    for (let failures = 1; ; failures += 1) {
      try {
        const result = await action();
        metrics.ledgerUp.set(1);
        return result;
      } catch (error) {
        if (error instanceof BatchError) throw error;
        metrics.ledgerUp.set(0);
        if (failures === 1) log.error({ err: error }, "the ledger is unavailable, waiting for it");
        await clock.sleep(backoffMs(failures, ledgerRetryBaseMs, ledgerRetryMaxMs, random));
        if (!works.some(isOwned)) throw new Abandoned();
      }
    }
  }

  /** One transaction, with a deadline for all its handlers. It counts from the first one's start: the ledger's own time is not theirs. */
  function transaction(works: Work[], timeoutMs: number, apply: ApplyWork): Promise<Verdict[]> {
    const byEntry = new Map(works.map((work) => [entryOf(work), work]));
    return whileLedgerIsDown(works, async () => {
      let deadline: Deadline | undefined;
      let startMs = 0;
      let endMs = 0;
      const done = (): undefined => {
        endMs = clock.nowMs();
      };
      const begin = (entry: Entry, tx: Tx) => {
        if (!deadline) startMs = clock.nowMs();
        deadline ??= startDeadline(clock, timeoutMs);
        return apply(byEntry.get(entry) as Work, tx, deadline)?.then(done) ?? done();
      };
      try {
        const verdicts = await ledger.record([...byEntry.keys()], begin, timeoutMs);
        if (deadline) batchLimit.succeeded(works.length, endMs - startMs);
        return verdicts;
      } finally {
        deadline?.stop();
      }
    });
  }

  /** Leaves out who failed and records the others; where not all culprits are known, by halves. */
  async function record(works: Work[], timeoutMs: number, apply: ApplyWork): Promise<Ends> {
    const ends: Ends = new Map();
    const failedCustomers = new Set<string>();
    let lateRounds = 0;
    async function part(all: Work[]): Promise<void> {
      const works = all.filter(({ customer }) => !failedCustomers.has(customer));
      if (works.length === 0) return;
      try {
        const verdicts = await transaction(works, timeoutMs, apply);
        for (const [index, work] of works.entries()) ends.set(work, verdicts[index] as Verdict);
      } catch (error) {
        // Of this part only: others of the batch may be owned.
        if (error instanceof Abandoned) return;
        if (!(error instanceof BatchError)) throw error;
        const { failures, all: allFound, cause } = error;
        const rest: Work[] = [];
        for (const work of works) {
          const itself: Failure | undefined =
            works.length === 1 ? { place: "record", error: cause } : undefined;
          const failure = failures.get(entryOf(work)) ?? itself;
          if (failure) {
            ends.set(work, failure);
            failedCustomers.add(work.customer);
          } else rest.push(work);
        }
        const late = [...failures.values()].filter(isLate).length;
        lateRounds += Number(late > 0);
        // Time that is over twice is not one order's doing: what is left has its turn later, in smaller batches.
        if (lateRounds > 1 || late * 10 > all.length) batchLimit.brokenOff();
        if (lateRounds > 1) {
          for (const { customer } of rest) failedCustomers.add(customer);
          return;
        }
        const half = allFound ? rest.length : Math.ceil(rest.length / 2);
        await part(rest.slice(0, half));
        await part(rest.slice(half));
      }
    }
    await part(works);
    return ends;
  }

  return { record, whileLedgerIsDown };
}
