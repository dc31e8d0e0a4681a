// What each fault was to come to, held against what it came to: pure, from the measures and the history.
import type { History } from "./history.ts";
import type { Measures, Recovery } from "./report/measures.ts";
import { type Goals, type ScenarioName, scenarios } from "./scenarios.ts";

/** A fault's figures, and those of them that are worse than they should be. */
export interface Outcome {
  /** As in the events. */
  fault: string;
  figures: Record<keyof Goals, number | undefined>;
  missed: string[];
}

/** Work that was under way when a fault struck was written before it. */
const underWayMs = 5_000;

/** One for each fault, in the order of the run. */
export function outcomesOf(history: History, { recoveries, endMs }: Measures): Outcome[] {
  return recoveries.map((recovery, index) => {
    const untilMs = recoveries[index + 1]?.atMs ?? endMs + underWayMs;
    const redelivered = redeliveriesBetween(history, recovery.atMs - underWayMs, untilMs - underWayMs);
    const figures = figuresOf(recovery, redelivered);
    return { fault: recovery.fault, figures, missed: missedOf(figures, goalsOf(recovery.fault)) };
  });
}

/** Whether it is a promise that was broken, not only a figure that is worse than it should be. */
export function brokenPromises(outcomes: readonly Outcome[]): string[] {
  return outcomes
    .filter(({ fault, figures }) => goalsOf(fault).failed === 0 && (figures.failed ?? 0) > 0)
    .map(({ fault, figures }) => `${fault}: ${figures.failed} orders were not accepted, after every retry`);
}

const goalsOf = (label: string): Goals => scenarios[label.replace(/-\d+$/, "") as ScenarioName].goals;

function figuresOf(recovery: Recovery, redelivered: number): Outcome["figures"] {
  const { sent, firstTryFailed, failed, recoveryMs, steadyAfterMs, healedAfterMs = 0 } = recovery;
  return {
    firstTryFailed,
    firstTryFailedShare: sent === 0 ? 0 : firstTryFailed / sent,
    failed,
    recoveryMs,
    afterHealMs: Math.max(0, steadyAfterMs - healedAfterMs),
    longestMs: recovery.longestMs,
    unseenMs: recovery.longestUnseenMs,
    drainedMs: recovery.drainedAfterMs,
    redelivered,
  };
}

/** A figure that could not be had misses its goal. */
function missedOf(figures: Outcome["figures"], goals: Goals): string[] {
  return Object.entries(goals).flatMap(([name, goal]) => {
    const figure = figures[name as keyof Goals];
    return figure !== undefined && figure <= goal ? [] : [`${name} ${figure ?? "unknown"}, at most ${goal}`];
  });
}

/** Deliveries of records written in that time, beyond the first of each. */
function redeliveriesBetween({ topic, ledger }: History, fromMs: number, toMs: number): number {
  const copies = new Map<string, number>();
  const written = new Map<string, number>();
  for (const { id, timestampMs } of topic) {
    copies.set(id, (copies.get(id) ?? 0) + 1);
    written.set(id, Math.min(timestampMs, written.get(id) ?? timestampMs));
  }
  const within = ledger.filter(({ id }) => {
    const atMs = written.get(id) ?? Number.NaN;
    return atMs >= fromMs && atMs < toMs;
  });
  return within.reduce((sum, { id, deliveries }) => sum + Math.max(0, deliveries - (copies.get(id) ?? 1)), 0);
}
