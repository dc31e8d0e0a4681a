/** The faults of a run as stretches of time. */
import type { Band } from "../../page/state.ts";
import type { RunEvent } from "./events.ts";
import { roundsOf } from "./rounds.ts";

/** From each fault to its heal, or to the next round where it has none. */
export function faultBands(events: readonly RunEvent[], endMs: number): Required<Band>[] {
  const faults = roundsOf(events).flatMap((round) => round.faults.map((fault) => ({ ...fault, round })));
  return faults.map(({ atMs, text, fault = "", round }) => {
    const untilMs = Math.min(round.untilMs, endMs);
    const heal = events.find(
      (one) => one.kind === "heal" && one.fault === fault && one.atMs >= atMs && one.atMs <= untilMs,
    );
    // By its name, and by what was done to whom.
    return { fault, target: `(${text})`, fromMs: atMs, toMs: heal?.atMs ?? untilMs };
  });
}
