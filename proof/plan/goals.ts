// What each fault was to come to, held against what it came to: pure, from the measures and the history. Faults that
// strike together are held against what all of them allow, since nobody can tell whose an order was.
import { ascending, percentile } from "../../kit/percentile.ts";
import type { ClientAnswer, History } from "../history/history.ts";
import type { Measures, Recovery } from "../report/measures.ts";
import type { Goals, Scenario } from "./scenario.ts";
import { type ScenarioName, scenarios } from "./scenarios.ts";

/** A fault's figures, and those of them that are worse than they should be. */
export interface RoundOutcome {
  /** As in the events. */
  fault: string;
  /** Those of one round struck together, and share its orders. */
  round: number;
  figures: Record<keyof Goals, number | undefined>;
  missed: string[];
}

/** Work that was under way when a fault struck was written before it. */
const underWayMs = 5_000;
/** Orders may be refused on a fault's account, where they may at all, until so long after the heal. */
const usualRefusalsEndMs = 15_000;

/** One for each fault, in the order of the run. */
export function outcomesOf(history: History, { recoveries, endMs }: Measures): RoundOutcome[] {
  const rounds = [...Map.groupBy(recoveries, ({ round }) => round).values()];
  const repeated = redeliveriesOf(history);
  return rounds.flatMap((together, index) => {
    const untilMs = rounds[index + 1]?.[0]?.atMs ?? endMs + underWayMs;
    const goals = goalsOf(together.map(({ fault }) => fault));
    return together.map((recovery) => {
      const fromMs = (together[0] ?? recovery).atMs - underWayMs;
      const within = repeated.filter(({ atMs }) => atMs >= fromMs && atMs < untilMs - underWayMs);
      const redelivered = within.reduce((sum, { times }) => sum + times, 0);
      const figures = figuresOf(recovery, redelivered);
      return {
        fault: recovery.fault,
        round: recovery.round,
        figures,
        missed: missedOf(recovery, figures, goals),
      };
    });
  });
}

/**
 * What is a promise to those who order, and not only a figure: that none of them fails where none is to fail, after
 * every retry or, where the scenario says so, at the first try. A line for each that was broken.
 */
export function brokenPromises(outcomes: readonly RoundOutcome[]): string[] {
  return [...Map.groupBy(outcomes, ({ round }) => round).values()].flatMap((together) => {
    const names = together.map(({ fault }) => fault);
    const goals = goalsOf(names);
    const { failed = 0, firstTryFailed = 0 } = together[0]?.figures ?? {};
    const fault = names.join(" and ");
    return [
      ...(goals.failed === 0 && failed > 0
        ? [`${fault}: ${failed} orders were not accepted, after every retry`]
        : []),
      ...(goals.firstTryFailed === 0 && firstTryFailed > 0
        ? [`${fault}: ${firstTryFailed} orders failed at their first try, where clients are to see none`]
        : []),
    ];
  });
}

/** Orders that were not accepted in the end though no fault touched them: that is promised always. */
export const failedUnprovoked = (
  client: readonly ClientAnswer[],
  recoveries: readonly Recovery[],
): ClientAnswer[] => untouched(client, recoveries).filter(({ fate }) => fate !== "accepted");

/** What 99 of 100 orders that no fault touched are answered within, on a machine that is not too slow for them. */
const controlP99Ms = 1_000;

/**
 * Whether the machine was too slow for the load even without a fault: then how long clients waited, and whether they lost
 * their patience, says nothing of the system.
 * @returns in words, or undefined where it was not
 */
export function starved(
  client: readonly ClientAnswer[],
  recoveries: readonly Recovery[],
): string | undefined {
  const took = untouched(client, recoveries).map(({ startedMs, endedMs }) => endedMs - startedMs);
  const p99Ms = percentile(ascending(took), 99);
  return p99Ms <= controlP99Ms
    ? undefined
    : `without any fault the 99th percentile was ${Math.round(p99Ms)} ms: this machine is too slow for the rate, or others use it`;
}

/** Orders that were sent and answered outside of all faults and of what these are allowed afterwards. */
function untouched(client: readonly ClientAnswer[], recoveries: readonly Recovery[]): ClientAnswer[] {
  const faults = recoveries.map(({ fault, atMs, healedAfterMs = Number.POSITIVE_INFINITY }) => {
    const { refusalsEndMs = usualRefusalsEndMs } = scenarioOf(fault);
    return { fromMs: atMs, toMs: atMs + healedAfterMs + refusalsEndMs };
  });
  return client.filter(
    ({ startedMs, endedMs }) => !faults.some(({ fromMs, toMs }) => endedMs >= fromMs && startedMs <= toMs),
  );
}

/** What the run came to, for its last line: a figure that misses its goal is never passed over. */
export function lastWord(
  broken: readonly string[],
  outcomes: readonly RoundOutcome[],
  untested?: string,
): string {
  if (untested !== undefined) return `the promise was not put to the test: ${untested}`;
  if (broken.length > 0) return "the promise was broken";
  const missed = outcomes.flatMap(({ fault, missed }) => missed.map((figure) => `${fault}, ${figure}`));
  if (missed.length === 0) return "the promise held";
  const [first] = missed;
  return missed.length === 1
    ? `the promise held; 1 figure missed its goal: ${first}`
    : `the promise held; ${missed.length} figures missed their goals, as above`;
}

/** By a fault's name in the events. */
const scenarioOf = (label: string): Scenario => scenarios[label.replace(/-\d+$/, "") as ScenarioName];

/** What all of them have a goal for, each the widest of theirs. */
function goalsOf(labels: readonly string[]): Goals {
  const each = labels.map((label) => scenarioOf(label).goals);
  return each.reduce((wide, goals) =>
    Object.fromEntries(
      Object.entries(wide).flatMap(([name, goal]) => {
        const other = goals[name as keyof Goals];
        return other === undefined ? [] : [[name, Math.max(goal, other)]];
      }),
    ),
  );
}

function figuresOf(recovery: Recovery, redelivered: number): RoundOutcome["figures"] {
  const { sent, failed, unreplayed, recoveryMs, steadyAfterMs, healedAfterMs = 0 } = recovery;
  const firstTryFailed = recovery.firstTryFailed - unreplayed;
  return {
    firstTryFailed,
    firstTryFailedShare: sent === 0 ? 0 : firstTryFailed / sent,
    failed,
    unreplayed,
    recoveryMs,
    afterHealMs: Math.max(0, steadyAfterMs - healedAfterMs),
    longestMs: recovery.longestMs,
    unseenMs: recovery.longestUnseenMs,
    drainedMs: recovery.drainedAfterMs,
    redelivered,
  };
}

const seconds = (ms: number) => `${ms / 1_000} s`;
const percent = (share: number) => `${Math.round(1_000 * share) / 10} %`;

/** Each figure as a person reads it. */
const inWords: Record<keyof Goals, [what: string, written: (figure: number) => string]> = {
  firstTryFailed: ["orders that failed at their first try", String],
  firstTryFailedShare: ["share of orders that failed at their first try", percent],
  failed: ["orders not accepted after every retry", String],
  unreplayed: ["orders in batches that could not be replayed", String],
  recoveryMs: ["until new orders were well again", seconds],
  afterHealMs: ["from the heal until new orders were well again", seconds],
  longestMs: ["longest order", seconds],
  unseenMs: ["longest from acceptance to handling", seconds],
  drainedMs: ["from the heal until the backlog was handled", seconds],
  redelivered: ["records delivered again", String],
};

/** A figure that could not be had misses its goal. */
function missedOf({ firstStatuses }: Recovery, figures: RoundOutcome["figures"], goals: Goals): string[] {
  return (Object.entries(goals) as [keyof Goals, number][]).flatMap(([name, goal]) => {
    const [what, written] = inWords[name];
    const figure = figures[name];
    if (figure !== undefined && figure <= goal) return [];
    const statuses = name === "firstTryFailed" ? ` (${firstStatuses})` : "";
    const found = figure === undefined ? "unknown" : written(figure);
    return [`${what}: ${found}${statuses}, goal at most ${written(goal)}`];
  });
}

/** Deliveries of records beyond the first of each, and when it was written; none of orders that are no more on the topic. */
function redeliveriesOf({ topic, ledger }: History): { atMs: number; times: number }[] {
  const written = Map.groupBy(topic, ({ id }) => id);
  return ledger.flatMap(({ id, deliveries }) => {
    const records = written.get(id);
    if (!records || deliveries <= records.length) return [];
    const atMs = Math.min(...records.map(({ timestampMs }) => timestampMs));
    return [{ atMs, times: deliveries - records.length }];
  });
}
