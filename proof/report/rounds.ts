/**
 * The rounds of a run, as its events tell. Faults that strike together can't be told apart by what the clients see, so
 * every order belongs to a round and to all of its faults.
 */
import type { ClientAnswer } from "../history/history.ts";
import type { RunEvent } from "./events.ts";

export type RoundSeen = {
  number: number;
  faults: RunEvent[];
  /** From the first fault to the next round's, or for good. */
  atMs: number;
  untilMs: number;
};

/** Orders of so long before a round were sent to a system at rest (schedule.ts): what delays them is that round. */
const underWayMs = 4_000;

/** In the order of their time. */
export function roundsOf(events: readonly RunEvent[]): RoundSeen[] {
  const faults = events.filter(({ kind }) => kind === "fault");
  const groups = [...Map.groupBy(faults, (one) => one.round ?? one).values()];
  const begins = groups.map((group) => Math.min(...group.map(({ atMs }) => atMs)));
  return groups.map((group, number) => ({
    number,
    faults: group,
    atMs: begins[number] as number,
    untilMs: begins[number + 1] ?? Number.POSITIVE_INFINITY,
  }));
}

/** Whether an order belongs to a round: sent in it, or under way when it struck; however late the answer came. */
export function isOf(
  { atMs, untilMs }: RoundSeen,
  { startedMs, endedMs }: Pick<ClientAnswer, "startedMs" | "endedMs">,
): boolean {
  const belongsFrom = (roundMs: number) =>
    startedMs >= roundMs || (startedMs >= roundMs - underWayMs && endedMs >= roundMs);
  return belongsFrom(atMs) && !belongsFrom(untilMs);
}
