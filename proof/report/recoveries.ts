/**
 * What each fault did, and how long it took until all was steady again. An order counts for the round in which it was
 * sent, and for every fault of that round; one that was under way when a round struck counts for that one.
 */
import type { RunEvent } from "./events.ts";
import { isOf, type RoundSeen, roundsOf } from "./rounds.ts";
import type { SeenOrder } from "./seen.ts";
import { lengthMs, stretchesOf } from "./stretches.ts";

/** What one fault did, with those that struck with it, until the next round: to those who order, and to those who wait for the handling. */
export type Recovery = {
  fault: string;
  /** Which round it was, from 0 on. */
  round: number;
  atMs: number;
  /** From the fault to its heal; undefined where it has none. */
  healedAfterMs: number | undefined;
  /** Orders of the round: all; those whose first try was not a 202; those not accepted in the end. */
  sent: number;
  firstTryFailed: number;
  /** How many of these had which status, 0: no whole answer: «100 × 502»; but those that are `unreplayed`. */
  firstStatuses: string;
  failed: number;
  /**
   * Those among them whose answer was lost with the producer that had their batch, which was too large for the balancer
   * to keep: it can't replay it, and says 502, as the README has it.
   */
  unreplayed: number;
  /** The longest stretch of orders that failed or were late, by when they were sent: then new orders are well again. */
  recoveryMs: number;
  /** From the fault to the end of the last such stretch. */
  steadyAfterMs: number;
  longestMs: number;
  /** Longest from acceptance to handling. */
  longestUnseenMs: number;
  /** From the heal, or the fault where it has none, until no more orders are unseen than before the fault. */
  drainedAfterMs: number | undefined;
};

/** An order that takes longer is late. */
export const lateMs = 1_000;
/** In a steady second no more than this share of the orders fails at its first try or is late: p99 is below `lateMs`. */
const steadyShare = 0.01;
const secondMs = 1_000;
/** Calm for so long ends a stretch. */
const calmMs = 3_000;
/** What was unseen in this time before a fault is the usual. */
const usualMs = 5_000;
/** So much of the orders may always be under way to the ledger. */
const usualDelayMs = 1_000;

/** One for each fault event, in their order. */
export function recoveriesOf(
  orders: readonly SeenOrder[],
  events: readonly RunEvent[],
  endMs: number,
): Recovery[] {
  return roundsOf(events).flatMap((round) =>
    round.faults.map((fault) => recoveryOf(fault, round, orders, events, endMs)),
  );
}

function recoveryOf(
  { atMs, fault = "", text }: RunEvent,
  round: RoundSeen,
  orders: readonly SeenOrder[],
  events: readonly RunEvent[],
  endMs: number,
): Recovery {
  const within = (time: number | undefined) =>
    time !== undefined && time >= round.atMs && time < round.untilMs;
  const heal = events.find((event) => event.kind === "heal" && within(event.atMs) && event.fault === fault);
  const concerned = orders.filter((order) => isOf(round, order));
  const stretches = stretchesOf(
    disturbed(concerned).map(({ startedMs }) => Math.max(atMs, startedMs)),
    calmMs,
  );
  const count = (holds: (order: SeenOrder) => boolean) => concerned.filter(holds).length;
  const failedFirst = concerned.filter(({ firstStatus }) => firstStatus !== 202);
  const isUnreplayed = ({ sent, firstStatus }: SeenOrder) =>
    sent.startsWith("streamed") && firstStatus === 502;
  const others = failedFirst.filter((order) => !isUnreplayed(order));
  const byStatus = Map.groupBy(others, ({ firstStatus }) => firstStatus);
  return {
    fault: fault || text,
    round: round.number,
    atMs,
    healedAfterMs: heal && heal.atMs - atMs,
    sent: concerned.length,
    firstTryFailed: failedFirst.length,
    firstStatuses: [...byStatus].map(([status, { length }]) => `${length} × ${status}`).join(", "),
    failed: count(({ fate }) => fate !== "accepted"),
    unreplayed: failedFirst.length - others.length,
    recoveryMs: most(stretches.map(lengthMs)),
    steadyAfterMs: (stretches.at(-1)?.toMs ?? atMs) - atMs,
    longestMs: most(concerned.map(({ startedMs, endedMs }) => endedMs - startedMs)),
    longestUnseenMs: most(
      orders.flatMap(({ fate, endedMs, handledAtMs }) =>
        fate === "accepted" && handledAtMs !== undefined && within(handledAtMs)
          ? [handledAtMs - endedMs]
          : [],
      ),
    ),
    drainedAfterMs: drainedAfterMs(orders, {
      atMs,
      sinceMs: heal?.atMs ?? atMs,
      untilMs: Math.min(round.untilMs, endMs),
    }),
  };
}

/** Orders that failed at their first try or were late, in the seconds in which there were too many of them. */
function disturbed(orders: readonly SeenOrder[]): SeenOrder[] {
  const isDisturbed = ({ firstStatus, startedMs, endedMs }: SeenOrder) =>
    firstStatus !== 202 || endedMs - startedMs > lateMs;
  const seconds = Map.groupBy(orders, ({ startedMs }) => Math.floor(startedMs / secondMs));
  return [...seconds.values()].flatMap((second) => {
    const found = second.filter(isDisturbed);
    return found.length > second.length * steadyShare ? found : [];
  });
}

/**
 * Until the backlog was as small as before the fault and stayed so for a while.
 * @returns undefined when that did not come to pass
 */
function drainedAfterMs(
  orders: readonly SeenOrder[],
  { atMs, sinceMs, untilMs }: { atMs: number; sinceMs: number; untilMs: number },
): number | undefined {
  const accepted = orders.filter(({ fate }) => fate === "accepted");
  const before = accepted.filter(({ endedMs }) => endedMs >= atMs - usualMs && endedMs < atMs).length;
  const changes: [atMs: number, by: number][] = [];
  for (const { endedMs, handledAtMs = Number.POSITIVE_INFINITY } of accepted)
    if (handledAtMs > endedMs) changes.push([endedMs, 1], [handledAtMs, -1]);
  changes.sort(([a], [b]) => a - b);
  let usual = (before / usualMs) * usualDelayMs;
  let unseen = 0;
  let goneMs = sinceMs;
  let sinceTooManyMs: number | undefined;
  for (const [changeMs, by] of changes) {
    if (changeMs > untilMs) break;
    unseen += by;
    if (changeMs < atMs - usualMs) continue;
    if (changeMs < atMs) usual = Math.max(usual, unseen);
    else if (unseen > usual) sinceTooManyMs ??= changeMs;
    else if (sinceTooManyMs !== undefined) {
      if (sinceTooManyMs > goneMs + calmMs) return goneMs - sinceMs;
      goneMs = Math.max(goneMs, changeMs);
      sinceTooManyMs = undefined;
    }
  }
  return sinceTooManyMs === undefined || sinceTooManyMs > goneMs + calmMs ? goneMs - sinceMs : undefined;
}

const most = (values: readonly number[]): number => values.reduce((most, value) => Math.max(most, value), 0);
