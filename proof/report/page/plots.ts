/** The plots of a run, as inline SVG: what clients felt, what was done, what was still to do, and who was away. */

import type { RunEvent } from "../events.ts";
import type { DrawnSecond, OverTime } from "../measures.ts";
import { columns, frame, linear, logarithmic, px, rows, type Scale, timeScale, timeTicks } from "./axes.ts";
import { bandsOf } from "./bands.ts";
import { escaped } from "./format.ts";

type Series = {
  name: string;
  kind: "line" | "area" | "bars";
  color: string;
  of: (second: DrawnSecond) => number | undefined;
};

type Plot = {
  title: string;
  note: string;
  height: number;
  scale: "linear" | "logarithmic";
  series: Series[];
};

const plots: Plot[] = [
  {
    title: "How long orders took",
    note: "from the first try to the final answer, by the second in which they were sent; each line is ten times the last",
    height: 190,
    scale: "logarithmic",
    series: [
      {
        name: "p99",
        kind: "line",
        color: "strong",
        of: ({ sent, p99Ms }) => (sent === 0 ? undefined : p99Ms),
      },
      {
        name: "median",
        kind: "line",
        color: "soft",
        of: ({ sent, p50Ms }) => (sent === 0 ? undefined : p50Ms),
      },
    ],
  },
  {
    title: "Orders a second",
    note: "by the second in which they were sent, and in which they were handled",
    height: 150,
    scale: "linear",
    series: [
      { name: "first try failed", kind: "bars", color: "bad", of: ({ firstTryFailed }) => firstTryFailed },
      { name: "handled", kind: "line", color: "other", of: ({ handled }) => handled },
      { name: "sent", kind: "line", color: "strong", of: ({ sent }) => sent },
      {
        name: "accepted",
        kind: "line",
        color: "strong",
        of: ({ sent, accepted }) => (sent === undefined ? accepted : undefined),
      },
    ],
  },
  {
    title: "Accepted and not yet handled",
    note: "orders for which a client has its 202 and the ledger has no row, at each second's end",
    height: 130,
    scale: "linear",
    series: [{ name: "unseen", kind: "area", color: "other", of: ({ unseen }) => unseen }],
  },
];

/** What each second is worth, for the reader's pointer: the names of the series, and a row a second; null: not known. */
export function secondValues({ seconds }: OverTime) {
  const known = plots.flatMap(({ scale, series }) =>
    series.filter(isKnown(seconds)).map((one) => ({ ...one, isTime: scale === "logarithmic" })),
  );
  return {
    names: known.map(({ name, isTime }) => [name, isTime]),
    seconds: seconds.map((second) => known.map(({ of }) => rounded(of(second)))),
  };
}

const isKnown =
  (seconds: readonly DrawnSecond[]) =>
  ({ of }: Series): boolean =>
    seconds.length === 0 || seconds.some((second) => of(second) !== undefined);
const rounded = (value: number | undefined) => (value === undefined ? null : Math.round(value));

/** All plots with their titles and legends, one under the other. */
export function plotsOf(measures: OverTime, events: readonly RunEvent[]): string {
  const time = timeScale(measures);
  const bands = bandsOf(events, measures, time);
  return [bands.lanes, ...plots.map((plot) => figure(plot, measures, time, bands.behind))].join("\n");
}

function figure(
  { title, note, height, scale, series: all }: Plot,
  measures: OverTime,
  time: Scale,
  behind: (height: number) => string,
): string {
  const { seconds } = measures;
  const series = all.filter(isKnown(seconds));
  const values = series.flatMap(({ of }) => seconds.map((second) => of(second) ?? 0));
  const highest = values.reduce((most, value) => Math.max(most, value), 0);
  const y = scale === "linear" ? linear(highest, height) : logarithmic(highest, height);
  const bottom = frame.top + height;
  // A second is drawn at its middle.
  const x = (second: DrawnSecond) => time(Math.min(second.atMs + 500, measures.endMs));
  const drawn = series.map((one) => draw(one, seconds, x, y.scale, bottom)).join("");
  const legend = series
    .map(({ name, color }) => `<span class="key"><i class="${color}"></i>${escaped(name)}</span>`)
    .join("");
  const most = scale === "linear" ? highest.toLocaleString("en") : `${Math.round(highest)} ms`;
  return `<figure tabindex="0">
<figcaption><b>${escaped(title)}</b> <span class="keys">${legend}</span><small>${escaped(note)}</small></figcaption>
<svg viewBox="0 0 ${frame.width} ${bottom + frame.bottom}" role="img" aria-label="${escaped(`${title} over time; highest ${most}`)}">
${behind(bottom)}${rows(y.ticks, y.scale)}${columns(timeTicks(measures), time, bottom)}${drawn}<line class="cursor" y1="${frame.top}" y2="${bottom}"/>
</svg>
</figure>`;
}

function draw(
  { kind, color, of }: Series,
  seconds: readonly DrawnSecond[],
  x: (second: DrawnSecond) => number,
  y: Scale,
  bottom: number,
): string {
  const points = seconds.flatMap((second) => {
    const value = of(second);
    return value === undefined ? [] : [{ x: px(x(second)), y: px(y(value)), value }];
  });
  if (kind === "bars") {
    const bars = points.filter(({ value }) => value > 0).map((point) => `M${point.x} ${bottom}V${point.y}`);
    return `<path class="bars ${color}" d="${bars.join("")}"/>`;
  }
  const [first, last] = [points[0], points.at(-1)];
  if (!first || !last) return "";
  const path = points.map((point) => `${point.x} ${point.y}`).join("L");
  const line = `<path class="line ${color}" d="M${path}"/>`;
  if (kind === "line") return line;
  return `<path class="area ${color}" d="M${first.x} ${bottom}L${path}L${last.x} ${bottom}Z"/>${line}`;
}
