/**
 * Holds handling back while it fails for all: a dependency that is down, a bad deploy. Then only a probe is begun now and
 * then, and no order is at fault: what opened the breaker is given back. Any order that is handled closes it.
 */
import { backoffMs, type Clock } from "../runtime/clock.ts";

/** An attempt that failed; `first`: of its order; `giveBack` takes its count away again. */
type FailedAttempt = { customer: string; first: boolean; giveBack: () => void };

/** Open when of the newest first attempts so many fail, of so many customers, all of them within the window. */
const failedShare = 0.9;
const fewestOutcomes = 10;
const fewestCustomers = 5;
const windowMs = 10_000;
/** Longer than most outages: what then fails again, and nothing else is there to be tried, is held to be the orders' own. */
const longestOutageMs = 15 * 60_000;
/** What is looked at: the newest reports with at least so many outcomes. */
const newestOutcomes = 50;
const mostReports = 200;
const probeBaseMs = 500;
const probeMaxMs = 10_000;

/** `onChange` is told each change, before anything else happens. */
type BreakerParts = { clock: Clock; random: () => number; onChange: (open: boolean) => void };

export function createBreaker({ clock, random, onChange }: BreakerParts) {
  /** `customers`: whose first attempts failed. */
  let reports: { atMs: number; handled: number; failed: FailedAttempt[]; customers: string[] }[] = [];
  let handledAtMs = Number.NEGATIVE_INFINITY;
  let open = false;
  let openedAtMs = 0;
  let probing = false;
  let probes = 0;
  let probeAtMs = 0;

  const areMany = (customers: string[]) => new Set(customers).size >= fewestCustomers;

  /** Whether nearly all of late fails, or, where there is little to see, so many in a row. */
  function isSystemic(nowMs: number): boolean {
    let handled = 0;
    const failed: string[] = [];
    for (const report of reports.toReversed()) {
      if (report.atMs < nowMs - windowMs || handled + failed.length >= newestOutcomes) break;
      handled += report.handled;
      failed.push(...report.customers);
    }
    const outcomes = handled + failed.length;
    if (outcomes >= fewestOutcomes && failed.length >= failedShare * outcomes) return areMany(failed);
    const inARow = reports.flatMap(({ atMs, customers }) => (atMs > handledAtMs ? customers : []));
    return handledAtMs < nowMs - windowMs && areMany(inARow);
  }

  function change(to: boolean): void {
    open = to;
    if (open) openedAtMs = clock.nowMs();
    reports = [];
    probes = 0;
    probeAtMs = clock.nowMs() + backoffMs(1, probeBaseMs, probeMaxMs, random);
    onChange(open);
  }

  return {
    /** What may begin now: everything, one probe, or nothing for so long. */
    admits(): { most: number; waitMs: number } {
      if (!open) return { most: Number.POSITIVE_INFINITY, waitMs: 0 };
      const waitMs = probing ? probeMaxMs : probeAtMs - clock.nowMs();
      return { most: waitMs > 0 ? 0 : 1, waitMs };
    },
    /** Work begins. @returns what is to be called at its end */
    begin(): () => void {
      if (!open || probing) return () => undefined;
      probing = true;
      const failedBefore = probes;
      return () => {
        probing = false;
        // A probe that said nothing, e.g. a record that was handled before, is followed by the next at once.
        if (open && probes > failedBefore)
          probeAtMs = clock.nowMs() + backoffMs(probes, probeBaseMs, probeMaxMs, random);
      };
    },
    /** When an order was handled last. */
    handledAtMs: (): number => handledAtMs,
    /** Notes how attempts ended. @returns whether those that failed are the orders' own */
    note(handled: number, failed: FailedAttempt[]): boolean {
      const nowMs = clock.nowMs();
      const wasOpen = open;
      if (handled > 0) handledAtMs = nowMs;
      if (open && handled > 0) change(false);
      if (open) probes += Number(failed.length > 0);
      if (wasOpen) return nowMs > openedAtMs + longestOutageMs && failed.every(({ first }) => !first);
      const customers = failed.filter(({ first }) => first).map(({ customer }) => customer);
      reports.push({ atMs: nowMs, handled, failed, customers });
      if (reports.length > mostReports) reports.shift();
      if (failed.length === 0 || !isSystemic(nowMs)) return true;
      for (const report of reports.slice(0, -1)) for (const { giveBack } of report.failed) giveBack();
      change(true);
      return false;
    },
  };
}
