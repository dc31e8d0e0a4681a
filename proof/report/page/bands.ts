/** Faults and phases as bands: behind every plot, and by name in lanes above them; and who was away when. */

import type { RunEvent } from "../events.ts";
import type { OverTime } from "../measures.ts";
import { roundsOf } from "../rounds.ts";
import { frame, px, type Scale } from "./axes.ts";
import { escaped } from "./format.ts";

type Band = { fromMs: number; toMs: number; label: string; title: string };

const laneHeight = 22;
/** Narrower, and a label would not fit. */
const labelUnits = 7;

export function bandsOf(events: readonly RunEvent[], measures: OverTime, time: Scale) {
  const faults = faultBands(events, measures.endMs);
  const phases = phaseBands(events, measures.endMs);
  return {
    /** What stands behind a plot of this height. */
    behind: (bottom: number) =>
      faults
        .map(
          ({ fromMs, toMs }) =>
            `<rect class="fault" x="${px(time(fromMs))}" width="${px(Math.max(1.5, time(toMs) - time(fromMs)))}" y="${frame.top}" height="${bottom - frame.top}"/>`,
        )
        .join(""),
    /** Phases, faults by number, and each tier's absences, as one figure. */
    lanes: lanes(phases, faults, measures, time),
  };
}

/** From each fault to its heal, or to the next round where it has none. */
export function faultBands(events: readonly RunEvent[], endMs: number): Band[] {
  const faults = roundsOf(events).flatMap((round) => round.faults.map((fault) => ({ ...fault, round })));
  return faults.map(({ atMs, text, fault, round }, n) => {
    const untilMs = Math.min(round.untilMs, endMs);
    const heal = events.find(
      (one) => one.kind === "heal" && one.fault === fault && one.atMs >= atMs && one.atMs <= untilMs,
    );
    return { fromMs: atMs, toMs: heal?.atMs ?? untilMs, label: String(n + 1), title: `${n + 1}: ${text}` };
  });
}

function phaseBands(events: readonly RunEvent[], endMs: number): Band[] {
  const phases = events.filter(({ kind }) => kind === "phase");
  return phases.map(({ atMs, text }, n) => ({
    fromMs: atMs,
    toMs: phases[n + 1]?.atMs ?? endMs,
    label: text,
    title: text,
  }));
}

function lanes(
  phases: readonly Band[],
  faults: readonly Band[],
  { unavailability = [] }: OverTime,
  time: Scale,
): string {
  const away = unavailability.map(({ tier, stretches }) => ({
    name: tier,
    kind: "away",
    bands: stretches.map((stretch) => ({ ...stretch, label: "", title: `${tier} away` })),
  }));
  const all = [
    ...(phases.length > 0 ? [{ name: "phase", kind: "phase", bands: phases }] : []),
    { name: "fault", kind: "mark", bands: faults },
    ...away,
  ];
  const height = all.length * laneHeight + frame.top;
  const drawn = all.map(({ name, kind, bands }, n) => {
    const y = frame.top + n * laneHeight;
    const line = `<line class="grid" x1="${frame.left}" x2="${frame.width - frame.right}" y1="${y + laneHeight - 2}" y2="${y + laneHeight - 2}"/>`;
    return `<text class="tick lane" text-anchor="end" x="${frame.left - 8}" y="${y + 10}" dy="0.32em">${escaped(name)}</text>${line}${bands.map((band) => rect(band, kind, y, time)).join("")}`;
  });
  return `<figure tabindex="0"><figcaption><b>What happened</b> <small>faults by their number in the table below${unavailability.length > 0 ? "; a tier is away when those outside could tell" : ""}</small></figcaption>
<svg viewBox="0 0 ${frame.width} ${height}" role="img" aria-label="Phases, faults and unavailability over time">${drawn.join("")}<line class="cursor" y1="${frame.top}" y2="${height}"/></svg></figure>`;
}

function rect({ fromMs, toMs, label, title }: Band, kind: string, y: number, time: Scale): string {
  const [x, width] = [time(fromMs), Math.max(2, time(toMs) - time(fromMs))];
  const fits = label.length * labelUnits < width || kind === "mark";
  const text =
    fits && label
      ? `<text class="on ${kind}" text-anchor="middle" x="${px(x + width / 2)}" y="${y + 10}" dy="0.32em">${escaped(label)}</text>`
      : "";
  return `<g><title>${escaped(title)}</title><rect class="${kind}" rx="3" x="${px(x)}" y="${y + 1}" width="${px(width)}" height="${laneHeight - 5}"/>${text}</g>`;
}
