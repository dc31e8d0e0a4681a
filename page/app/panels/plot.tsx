/** One plot over time, with what was struck as bands: all of them show the same time and the same pointer. */
import { computed, effect, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import type { Lane, Stretch } from "../../recording.ts";
import type { Band } from "../../state.ts";
import { backToMs, recorded, samples, state } from "../store.ts";

/** In seconds. */
export const ranges: Record<string, number> = { "2 min": 120, "5 min": 300, "15 min": 900 };
export const everything = "all of it";
export const chosenRange = signal<string | undefined>(undefined);
export const range = computed(() => chosenRange.value ?? (recorded.value ? everything : "5 min"));
/** Where the pointer is, in all plots. */
export const pointedMs = signal<number | undefined>(undefined);
export const shown = computed(() => {
  const nowMs = samples.value.at(-1)?.[0] ?? state.value?.atMs ?? Date.now();
  const toMs = backToMs.value ?? nowMs;
  const seconds = ranges[range.value];
  // One sample alone has a second, too.
  const firstMs = Math.min(samples.value[0]?.[0] ?? toMs, toMs - 1_000);
  const fromMs = seconds === undefined ? firstMs : toMs - seconds * 1_000;
  return { fromMs, toMs, nowMs };
});

export type Series = [label: string, at: 1 | 2 | 3 | 4 | 5 | 6, colour: string];
type Colour = (name: string) => string;

const laneHeight = 20;
/** Of all plots, so that they begin below each other: a proof's lanes have names of tiers there, which take more than figures. */
const axisWidth = () => (recorded.peek()?.proof ? 84 : 54);
const powersOf10 = [1, 10, 100, 1_000, 10_000, 100_000];

interface PlotProps {
  title: string;
  series: Series[];
  /** Each line is ten times the last; of 0 nothing is drawn. */
  logarithmic?: boolean;
}

export function Plot({ title, series, logarithmic = false }: PlotProps) {
  const place = usePlot(
    110,
    series,
    (colour) => ({
      scales: logarithmic
        ? { y: { distr: 3, range: (_, _min, most) => [1, Math.max(100, 10 ** Math.ceil(Math.log10(most)))] } }
        : { y: { range: (_, _min, most) => [0, Math.max(5, most * 1.1)] } },
      axes: [
        axisOfTime(colour),
        {
          ...axis(colour),
          space: 26,
          ...(logarithmic && {
            splits: (_self, _axis, least, most) => powersOf10.filter((one) => one >= least && one <= most),
          }),
        },
      ],
    }),
    (plot, colour) => drawBands(plot, Object.values(state.peek()?.bands ?? {}), colour("--band")),
  );
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

/** When something was so, a line for each: the tables have the same in figures. */
export function Lanes({ lanes }: { lanes: readonly Lane[] }) {
  const at = (n: number) => lanes.length - n - 0.5;
  const place = usePlot(
    lanes.length * laneHeight + 34,
    [],
    (colour) => ({
      scales: { y: { range: [0, lanes.length] } },
      axes: [
        axisOfTime(colour),
        {
          ...axis(colour),
          splits: lanes.map((_, n) => at(n)),
          values: () => lanes.map(({ name }) => name),
        },
      ],
    }),
    (plot, colour) => {
      drawBands(plot, Object.values(state.peek()?.bands ?? {}), colour("--band"));
      for (const [n, { stretches }] of lanes.entries())
        drawStretches(plot, stretches, at(n), colour("--bad"));
    },
  );
  return (
    <figure>
      <figcaption>
        <b>When a tier was away</b> as those outside could tell
      </figcaption>
      <div ref={place} />
    </figure>
  );
}

const axis = (colour: Colour): uPlot.Axis => ({
  stroke: () => colour("--quiet"),
  grid: { stroke: () => colour("--grid"), width: 1 },
  size: axisWidth(),
});
const axisOfTime = (colour: Colour): uPlot.Axis => ({
  ...axis(colour),
  ...{ space: 50, values: "{HH}:{mm}:{ss}", size: 28 },
});

/** Has a plot drawn in an element, as wide as that is. */
function usePlot(
  height: number,
  series: readonly Series[],
  options: (colour: Colour) => Pick<uPlot.Options, "scales" | "axes">,
  behind: (plot: uPlot, colour: Colour) => void,
) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const colour: Colour = (name) => getComputedStyle(element).getPropertyValue(name);
    const plot = new uPlot(
      {
        ...options(colour),
        width: element.clientWidth || 300,
        height,
        legend: { show: false },
        cursor: { y: false, sync: { key: "stage" } },
        series: [
          {},
          ...series.map(([label, , name]) => ({
            ...{ label, stroke: () => colour(name), width: 1.5, points: { show: false } },
          })),
        ],
        hooks: {
          setCursor: [
            ({ cursor: { left = -1 }, posToVal }) => {
              pointedMs.value = left < 0 ? undefined : posToVal(left, "x") * 1_000;
            },
          ],
          drawClear: [(self) => behind(self, colour)],
        },
      },
      [[], ...series.map(() => [])] as uPlot.AlignedData,
      element,
    );
    const resized = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height }));
    resized.observe(element);
    // A file draws nothing anew by itself.
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const recolour = () => plot.redraw();
    scheme.addEventListener("change", recolour);
    const stop = effect(() => show(plot, series));
    return () => {
      stop();
      resized.disconnect();
      scheme.removeEventListener("change", recolour);
      plot.destroy();
    };
  }, []);
  return place;
}

function show(plot: uPlot, series: readonly Series[]): void {
  const { fromMs, toMs } = shown.value;
  const here = samples.value.filter(([atMs]) => atMs >= fromMs && atMs <= toMs);
  const columns = series.map(([, at]) => here.map((sample) => ((sample[at] ?? -1) < 0 ? null : sample[at])));
  plot.setData([here.map(([atMs]) => atMs / 1_000), ...columns] as uPlot.AlignedData, false);
  plot.setScale("x", { min: fromMs / 1_000, max: toMs / 1_000 });
}

/** From when to when something was struck. */
function drawBands(plot: uPlot, bands: readonly Band[], colour: string): void {
  const { top, height } = plot.bbox;
  // By the stage's clock, which the browser's need not agree with.
  const untilNow = bands.map((band) => ({ ...band, toMs: band.toMs ?? shown.peek().nowMs }));
  fill(plot, untilNow, { top, height }, colour);
}

function drawStretches(plot: uPlot, stretches: readonly Stretch[], at: number, colour: string): void {
  const [top, bottom] = [plot.valToPos(at + 0.35, "y", true), plot.valToPos(at - 0.35, "y", true)];
  fill(plot, stretches, { top, height: bottom - top }, colour);
}

function fill(
  plot: uPlot,
  stretches: readonly Stretch[],
  { top, height }: { top: number; height: number },
  colour: string,
): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.fillStyle = colour;
  for (const { fromMs, toMs } of stretches) {
    const left = plot.valToPos(fromMs / 1_000, "x", true);
    const right = plot.valToPos(toMs / 1_000, "x", true);
    ctx.fillRect(left, top, Math.max(2, right - left), height);
  }
  ctx.restore();
}
