/**
 * What the stage has seen, as one file that needs nothing else: by the renderer of the proof's report, so that there is one
 * for files. It has what the page has: the verdict, the last minutes with every fault as a band, who is there, what happened.
 */
import type { RunEvent } from "../proof/report/events.ts";
import type { DrawnSecond } from "../proof/report/measures.ts";
import { documentOf, promised } from "../proof/report/page/document.ts";
import { clock, duration } from "../proof/report/page/format.ts";
import { eventTable, figure, table, word } from "../proof/report/page/tables.ts";
import { type Band, figureWords, type Sample, type StageState, verdictTitles } from "./state.ts";

const secondMs = 1_000;
const kinds = { strike: "fault", heal: "heal", change: "note", verdict: "note", error: "note" } as const;
/** All of them overlap: to the bands they are one round. */
const round = 0;

/** @param samples the newest minutes, oldest first */
export function exportOf(state: StageState, samples: readonly Sample[]): Promise<string> {
  const { verdict, atMs: endMs } = state;
  const startMs = samples[0]?.[0] ?? endMs;
  const bands = Object.values(state.bands).toSorted((a, b) => a.fromMs - b.fromMs);
  const told = Object.values(state.events).map(
    ({ atMs, kind, text }): RunEvent => ({ atMs, kind: kinds[kind], text }),
  );
  const { lost, doubled, phantom, mistaken, status, why, settled: _, oldestS: __, ...figures } = verdict;
  return documentOf({
    title: `Coffee Orders: ${verdictTitles[status]}`,
    heading: "Coffee Orders, as the stage saw it",
    verdict: {
      text: verdictTitles[status],
      kind: status === "good" ? "held" : status === "broken" ? "broken" : "open",
    },
    about: `${new Date(endMs).toISOString().slice(0, 19).replace("T", " ")} UTC · the last ${duration(endMs - startMs)}`,
    faults: why ? [why] : [],
    tiles: [
      promised("lost", lost),
      promised("doubled", doubled),
      promised("phantom", phantom),
      promised("mistaken", mistaken),
      ...Object.entries(figures).map(([name, value]) => ({
        name: name === "redelivered" ? "delivered again" : name === "dead" ? "dead letters" : name,
        value,
      })),
    ],
    seen: { startMs, endMs, seconds: secondsOf(samples, endMs) },
    events: bands.flatMap((band, n) => struck(band, n)),
    below: `${bands.length > 0 ? `<h2>What was struck</h2>${bandTable(bands, startMs)}` : ""}
<h2>Who is there</h2>${instanceTable(state)}
<details><summary>Everything that happened</summary>${eventTable(told, startMs)}</details>`,
    glossary: figureWords,
  });
}

/** One for each second, as it was at the last look before its end. */
function secondsOf(samples: readonly Sample[], endMs: number): DrawnSecond[] {
  const startMs = samples[0]?.[0] ?? endMs;
  let at = 0;
  return Array.from({ length: Math.floor((endMs - startMs) / secondMs) + 1 }, (_, n) => {
    const untilMs = startMs + (n + 1) * secondMs;
    while ((samples[at + 1]?.[0] ?? Infinity) < untilMs) at += 1;
    const [, accepted = 0, handled = 0, unseen = 0, p99Ms = -1] = samples[at] ?? [];
    return { atMs: untilMs - secondMs, accepted, handled, unseen, ...(p99Ms >= 0 && { p99Ms }) };
  });
}

function struck({ fault, target, fromMs, toMs }: Band, n: number): RunEvent[] {
  const [text, name] = [`${fault} ${target}`, `${n} ${fault} ${target}`];
  const strike: RunEvent = { atMs: fromMs, kind: "fault", text, fault: name, round };
  return toMs === undefined ? [strike] : [strike, { atMs: toMs, kind: "heal", text, fault: name }];
}

const bandTable = (bands: readonly Band[], startMs: number): string =>
  table(
    [...["no.", "fault", "at"].map(word), figure("healed after")],
    bands.map(({ fault, target, fromMs, toMs }, n) => [
      ...[String(n + 1), `${fault} ${target}`, clock(fromMs - startMs)].map(word),
      figure(duration(toMs && toMs - fromMs)),
    ]),
  );

const instanceTable = ({ instances }: StageState): string =>
  table(
    ["name", "tier", "state", "role"].map(word),
    Object.entries(instances).map(([name, { tier, state, why, role }]) =>
      [name, tier, why && why !== state ? `${state}: ${why}` : state, role].map(word),
    ),
  );
