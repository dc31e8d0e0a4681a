/**
 * Holds handling back while it fails for all. Open, it lets a probe begin now and then, and no order is at fault: the attempts
 * that opened it are given back, and the first order that is handled closes it.
 */
import { backoffMs, type Clock } from "../runtime/clock.ts";
import type { Work } from "./work.ts";

type Failed = Pick<Work, "customer" | "failures">;

/** Open when so many first attempts failed, of so many customers, and none was handled for the window or one for so many. */
const [fewestFailed, fewestCustomers, failedForHandled] = [10, 5, 9];
const windowMs = 10_000;
/** Longer than most outages: what then fails again, and nothing else is there to be tried, is held to be the orders' own. */
const longestOutageMs = 15 * 60_000;
const mostFailed = 200;
const [probeBaseMs, probeMaxMs] = [500, 10_000];

const isFirst = ({ failures }: Pick<Work, "failures">): boolean => failures === 0;

/** `onChange` is told each change, before anything else happens. */
type Parts = { clock: Clock; random: () => number; onChange: (open: boolean) => void };

export function createBreaker({ clock, random, onChange }: Parts) {
  /** The newest whose first attempts failed; each that is handled makes up for some of them. */
  let failing: Failed[] = [];
  let [handledAtMs, recoveredAtMs] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  let [open, openings] = [false, 0];
  /** Since when nothing but failures came, and whether somebody was given up all the same. */
  let sinceMs: number | undefined;
  let doubted = false;
  let [probes, probeAtMs] = [0, 0];
  function change(to: boolean): void {
    open = to;
    openings += Number(open);
    failing = [];
    probes = 0;
    probeAtMs = clock.nowMs() + backoffMs(1, probeBaseMs, probeMaxMs, random);
    onChange(open);
  }
  const outlasts = () => sinceMs !== undefined && clock.nowMs() > sinceMs + longestOutageMs;
  return {
    /** What may begin now: everything, one probe, or nothing for so long. */
    admits(): { most: number; waitMs: number } {
      const nowMs = clock.nowMs();
      if (!open) return { most: Number.POSITIVE_INFINITY, waitMs: 0 };
      if (nowMs < probeAtMs) return { most: 0, waitMs: probeAtMs - nowMs };
      // Unless it is noted before how this one ended.
      probeAtMs = nowMs + probeMaxMs;
      return { most: 1, waitMs: 0 };
    },
    /** Whether an order is to be given up. @param state.spent of its attempts: 1 is all; @param state.late its time is over */
    mayGiveUp({ begunAtMs = 0 }: Pick<Work, "begunAtMs">, { spent, late }: { spent: number; late: boolean }) {
      // Where some are handled that had failed before, it may be, too: half as many attempts again.
      if (handledAtMs >= begunAtMs) return late || spent >= (recoveredAtMs < begunAtMs ? 1 : 1.5);
      // Nothing else was handled since: one order may be bad, and all of them only after a long time.
      const may = late && (!doubted || outlasts());
      doubted ||= may;
      return may;
    },
    /** What was counted before it opened counts no more. */
    giveBack(work: Pick<Work, "openings" | "attempts" | "begunAtMs" | "failedAtMs">): void {
      if (work.openings !== openings)
        Object.assign(work, { openings, attempts: 0, begunAtMs: undefined, failedAtMs: undefined });
    },
    /** Notes how attempts ended, before they are counted. @returns whether those that failed are the orders' own */
    note(handled: Pick<Work, "failures" | "attempts">[], failed: Failed[]): boolean {
      const nowMs = clock.nowMs();
      const wasOpen = open;
      if (handled.length > 0) [handledAtMs, sinceMs, doubted] = [nowMs, undefined, false];
      if (failed.length > 0) sinceMs ??= nowMs;
      if (handled.some(({ attempts }) => attempts > 0)) recoveredAtMs = nowMs;
      if (open && handled.length > 0) change(false);
      if (open) {
        probes += Number(failed.length > 0);
        // A probe that said nothing, e.g. a record that was handled before, is followed by the next at once.
        probeAtMs = failed.length > 0 ? nowMs + backoffMs(probes, probeBaseMs, probeMaxMs, random) : nowMs;
      }
      if (wasOpen) return outlasts() && failed.every(({ failures }) => failures > 0);
      failing.push(...failed.filter(isFirst));
      const made = handled.filter(isFirst).length * failedForHandled;
      failing = failing.slice(Math.max(made, failing.length - mostFailed));
      const customers = new Set(failing.map(({ customer }) => customer));
      const nearlyAll = failing.length >= fewestFailed || handledAtMs < nowMs - windowMs;
      if (failed.length === 0 || customers.size < fewestCustomers || !nearlyAll) return true;
      change(true);
      return false;
    },
  };
}
