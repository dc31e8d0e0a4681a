/** The last minutes: what was accepted and handled, what waits, how long an answer took; what was struck as bands. */
import { effect, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import type { Band } from "../../state.ts";
import { samples, state } from "../store.ts";

const ranges = { "2 min": 120, "5 min": 300, "15 min": 900 } as const;
const range = signal<keyof typeof ranges>("5 min");

export function Plots() {
  return (
    <section class="panel plots" aria-labelledby="plots-title">
      <h2 id="plots-title">The last {range.value}</h2>
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
        title="orders per second"
        series={[
          ["accepted", 1, "--flow"],
          ["handled", 2, "--good"],
        ]}
      />
      <Plot title="accepted and waiting" series={[["waiting", 3, "--warn"]]} />
      <Plot title="p99 of an answer, ms" series={[["p99", 4, "--quiet"]]} />
    </section>
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
        cursor: { y: false },
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
          drawClear: [(self) => drawBands(self, Object.values(state.peek()?.bands ?? {}), colour("--band"))],
        },
      },
      [[], ...series.map(() => [])] as uPlot.AlignedData,
      element,
    );
    const resized = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: 110 }));
    resized.observe(element);
    const stop = effect(() => {
      const toMs = samples.value.at(-1)?.[0] ?? Date.now();
      const fromMs = toMs - ranges[range.value] * 1_000;
      const shown = samples.value.filter(([atMs]) => atMs >= fromMs);
      const columns = series.map(([, at]) => shown.map((sample) => (sample[at] < 0 ? null : sample[at])));
      plot.setData([shown.map(([atMs]) => atMs / 1_000), ...columns] as uPlot.AlignedData, false);
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
        {series.length > 1
          ? series.map(([label, , name]) => (
              <span key={label} class={`key ${name.slice(2)}`}>
                {label}
              </span>
            ))
          : null}{" "}
        {title}
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
    const right = plot.valToPos((toMs ?? Date.now()) / 1_000, "x", true);
    ctx.fillRect(left, bbox.top, Math.max(2, right - left), bbox.height);
  }
  ctx.restore();
}
