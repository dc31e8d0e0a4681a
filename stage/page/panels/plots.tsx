/**
 * The last minutes: what was accepted and handled, what waits, how long an answer took; what was struck as bands. One can scroll
 * back, and then it stands still there while the stage goes on.
 */
import { computed, effect, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import type { Band } from "../../state.ts";
import { clock, count, ms } from "../format.ts";
import { backToMs, part, samples, state } from "../store.ts";

const ranges = { "2 min": 120, "5 min": 300, "15 min": 900 } as const;
const range = signal<keyof typeof ranges>("5 min");
const bands = part((now) => now.bands);
/** Where the pointer is, in all plots. */
const pointedMs = signal<number | undefined>(undefined);
const shown = computed(() => {
  const nowMs = samples.value.at(-1)?.[0] ?? Date.now();
  const toMs = backToMs.value ?? nowMs;
  return { fromMs: toMs - ranges[range.value] * 1_000, toMs, nowMs };
});

export function Plots() {
  const { fromMs, toMs, nowMs } = shown.value;
  const isBack = backToMs.value !== undefined;
  const earliestMs = Math.min(samples.value[0]?.[0] ?? nowMs, nowMs);
  return (
    <section class="panel plots" aria-labelledby="plots-title">
      <h2 id="plots-title">{isBack ? `${range.value} up to ${clock(toMs)}` : `The last ${range.value}`}</h2>
      <fieldset class="ranges">
        <legend class="hidden">Time shown</legend>
        {(Object.keys(ranges) as (keyof typeof ranges)[]).map((name) => (
          <button
            key={name}
            type="button"
            class="plain"
            aria-pressed={range.value === name}
            onClick={() => {
              range.value = name;
            }}
          >
            {name}
          </button>
        ))}
      </fieldset>
      <Plot
        title="Orders per second"
        series={[
          ["accepted", 1, "--flow"],
          ["handled", 2, "--good"],
        ]}
      />
      <Plot title="Accepted, and waiting to be handled" series={[["waiting", 3, "--warn"]]} />
      <Plot title="Time to an answer, p99 in ms" series={[["p99", 4, "--quiet"]]} />
      <p class="pointed quiet">{pointed()}</p>
      <Struck fromMs={fromMs} toMs={toMs} />
      <div class="row">
        <label class="back">
          Scroll back
          <input
            type="range"
            min={earliestMs}
            max={nowMs}
            step="1000"
            value={toMs}
            aria-valuetext={isBack ? `up to ${clock(toMs)}` : "up to now"}
            onInput={({ currentTarget }) => {
              const wantedMs = Number(currentTarget.value);
              backToMs.value = wantedMs > nowMs - 1_500 ? undefined : wantedMs;
            }}
          />
        </label>
        {isBack && (
          <button
            type="button"
            onClick={() => {
              backToMs.value = undefined;
            }}
          >
            Back to now
          </button>
        )}
        <a href="/export" download>
          Save as one file
        </a>
      </div>
    </section>
  );
}

/** What the figures were where the pointer is, and what was struck then. */
function pointed(): string {
  const atMs = pointedMs.value;
  const sample = atMs === undefined ? undefined : samples.value.findLast(([at]) => at <= atMs);
  if (!sample || atMs === undefined) return "Point at a plot to read its figures.";
  const [at, accepted, handled, waiting, p99Ms] = sample;
  const struck = between(atMs, atMs).map(({ fault, target }) => `${fault} ${target}`);
  const figures = [
    `${count(accepted)}/s accepted`,
    `${count(Math.round(handled))}/s handled`,
    `${count(waiting)} waiting`,
  ];
  return [`${clock(at)}: ${figures.join(", ")}`, p99Ms >= 0 && `p99 ${ms(p99Ms)}`, ...struck]
    .filter(Boolean)
    .join("; ");
}

const between = (fromMs: number, toMs: number): Band[] =>
  Object.values(bands.value ?? {}).filter((band) => band.fromMs <= toMs && (band.toMs ?? Infinity) >= fromMs);

/** The bands of the plots by name: the newest ones. */
function Struck({ fromMs, toMs }: { fromMs: number; toMs: number }) {
  const here = between(fromMs, toMs).slice(-6);
  if (here.length === 0) return null;
  return (
    <ul class="struck" aria-label="Faults in this time">
      {here.map((band) => (
        <li key={`${band.fromMs} ${band.target}`}>
          {band.fault} {band.target}, {clock(band.fromMs)} –{" "}
          {band.toMs === undefined ? "now" : clock(band.toMs)}
        </li>
      ))}
    </ul>
  );
}

type Series = [label: string, at: 1 | 2 | 3 | 4, colour: string];

function Plot({ title, series }: { title: string; series: Series[] }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const colour = (name: string) => getComputedStyle(element).getPropertyValue(name);
    const axis = { stroke: () => colour("--quiet"), grid: { stroke: () => colour("--grid"), width: 1 } };
    const plot = new uPlot(
      {
        width: element.clientWidth || 300,
        height: 110,
        legend: { show: false },
        cursor: { y: false, sync: { key: "stage" } },
        scales: { y: { range: (_, _min, most) => [0, Math.max(5, most * 1.1)] } },
        axes: [
          { ...axis, space: 50, values: "{HH}:{mm}:{ss}", size: 28 },
          { ...axis, size: 54, space: 26 },
        ],
        series: [
          {},
          ...series.map(([label, , name]) => ({
            label,
            stroke: () => colour(name),
            width: 1.5,
            points: { show: false },
          })),
        ],
        hooks: {
          setCursor: [
            ({ cursor: { left = -1 }, posToVal }) => {
              pointedMs.value = left < 0 ? undefined : posToVal(left, "x") * 1_000;
            },
          ],
          drawClear: [(self) => drawBands(self, Object.values(state.peek()?.bands ?? {}), colour("--band"))],
        },
      },
      [[], ...series.map(() => [])] as uPlot.AlignedData,
      element,
    );
    const resized = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: 110 }));
    resized.observe(element);
    const stop = effect(() => {
      const { fromMs, toMs } = shown.value;
      const here = samples.value.filter(([atMs]) => atMs >= fromMs && atMs <= toMs);
      const columns = series.map(([, at]) => here.map((sample) => (sample[at] < 0 ? null : sample[at])));
      plot.setData([here.map(([atMs]) => atMs / 1_000), ...columns] as uPlot.AlignedData, false);
      plot.setScale("x", { min: fromMs / 1_000, max: toMs / 1_000 });
    });
    return () => {
      stop();
      resized.disconnect();
      plot.destroy();
    };
  }, []);
  return (
    <figure>
      <figcaption>
        <b>{title}</b>{" "}
        {series.length > 1
          ? series.map(([label, , name]) => (
              <span key={label} class={`key ${name.slice(2)}`}>
                {label}
              </span>
            ))
          : null}
      </figcaption>
      <div ref={place} />
    </figure>
  );
}

/** From when to when something was struck. */
function drawBands(plot: uPlot, bands: Band[], colour: string): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.fillStyle = colour;
  for (const { fromMs, toMs } of bands) {
    const left = plot.valToPos(fromMs / 1_000, "x", true);
    // By the stage's clock, which the browser's need not agree with.
    const right = plot.valToPos((toMs ?? shown.peek().nowMs) / 1_000, "x", true);
    ctx.fillRect(left, bbox.top, Math.max(2, right - left), bbox.height);
  }
  ctx.restore();
}
