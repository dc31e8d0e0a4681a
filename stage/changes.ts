/** What happened between two looks, in words for the timeline; and the timeline. */

import type { StageState, TimelineEvent } from "../page/state.ts";
import { cut } from "./orders/letters.ts";

const keptEvents = 100;
const eventLength = 500;

const verdictWords = {
  idle: "",
  good: "everything accepted is accounted for",
  waiting: "accepted orders wait",
  broken: "the promise is broken",
  blind: "it can't be known whether anything is lost",
};

/** What changed between two looks, in words: states, leaders, the controller, the group. */
export function changesOf(before: StageState, now: StageState): [TimelineEvent["kind"], string][] {
  const found: string[] = [];
  for (const [name, { state, why }] of Object.entries(now.instances)) {
    const was = before.instances[name]?.state;
    if (was !== undefined && was !== state)
      found.push(`${name} is ${state}${why && why !== state ? `: ${why}` : ""}`);
  }
  for (const name of Object.keys(before.instances)) if (!now.instances[name]) found.push(`${name} is gone`);
  const moved = Object.entries(now.partitions).filter(
    ([at, { leader }]) => before.partitions[at] !== undefined && before.partitions[at]?.leader !== leader,
  );
  const byLeader = Map.groupBy(moved, ([, { leader }]) => leader);
  for (const [leader, some] of byLeader)
    found.push(
      `partitions ${some.map(([at]) => at).join(" ")} ${leader < 0 ? "have no leader" : `are led by kafka${leader}, epoch ${epochs(some)}`}`,
    );
  if (before.controller !== now.controller && now.controller > 0)
    found.push(`kafka${now.controller} is the controller`);
  const owners = Object.entries(now.partitions).filter(
    ([at, { owner }]) => owner && before.partitions[at]?.owner !== owner,
  );
  for (const [owner, some] of before.group.state === "unknown"
    ? []
    : Map.groupBy(owners, ([, one]) => one.owner))
    found.push(`${owner} takes partitions ${some.map(([at]) => at).join(" ")}`);
  const { status } = now.verdict;
  const kind = status === "good" ? "verdict" : status === "broken" ? "error" : "change";
  const changes = found.map((text): [TimelineEvent["kind"], string] => ["change", text]);
  return status === before.verdict.status || status === "idle"
    ? changes
    : [...changes, [kind, verdictWords[status]]];
}

/** Their leader epochs, from the lowest to the highest. */
function epochs(some: [string, { epoch: number }][]): string {
  const all = some.map(([, { epoch }]) => epoch);
  const [lowest, highest] = [Math.min(...all), Math.max(...all)];
  return lowest === highest ? String(lowest) : `${lowest} to ${highest}`;
}

/** The newest of what happened, by number. */
export function createTimeline() {
  const events = new Map<string, TimelineEvent>();
  let nextEvent = 1;
  return {
    note(kind: TimelineEvent["kind"], text: string): void {
      events.set(String(nextEvent++), { atMs: Date.now(), kind, text: cut(text, eventLength) });
      if (events.size > keptEvents) events.delete(events.keys().next().value as string);
    },
    all: (): Record<string, TimelineEvent> => Object.fromEntries(events),
  };
}
