/**
 * The last minutes: what was accepted and handled, what waits, how long an answer took; what was struck as bands. One can scroll
 * back, and then it stands still there while the stage goes on.
 */
import { visible } from "../../../kit/visible.ts";
import type { Band } from "../../state.ts";
import { clock, count, ms } from "../format.ts";
import { backToMs, part, recorded, samples } from "../store.ts";
import {
  chosenRange,
  everything,
  Lanes,
  Plot,
  pointedMs,
  range,
  ranges,
  type Series,
  shown,
} from "./plot.tsx";

const bands = part((now) => now.bands);
const mostNamed = 6;
/** How the end of the time is called: a file's is over. */
const theEnd = () => (recorded.value ? "the end" : "now");

export function Plots() {
  const { fromMs, toMs, nowMs } = shown.value;
  const isBack = backToMs.value !== undefined;
  const proof = recorded.value?.proof;
  const earliestMs = Math.min(samples.value[0]?.[0] ?? nowMs, nowMs);
  return (
    <section class="panel plots" aria-labelledby="plots-title">
      <h2 id="plots-title">
        {isBack
          ? `${range.value} up to ${clock(toMs)}`
          : range.value === everything
            ? "Over time"
            : `The last ${range.value}`}
      </h2>
      <fieldset class="ranges">
        <legend class="hidden">Time shown</legend>
        {[...Object.keys(ranges), ...(recorded.value ? [everything] : [])].map((name) => (
          <button
            key={name}
            type="button"
            class="plain"
            aria-pressed={range.value === name}
            onClick={() => {
              chosenRange.value = name;
            }}
          >
            {name}
          </button>
        ))}
      </fieldset>
      {proof && <Lanes lanes={proof.lanes} />}
      <Plot
        title="Orders per second"
        series={[
          ["accepted", 1, "--flow"],
          ["handled", 2, "--good"],
          ...(proof ? [["first try failed", 5, "--bad"] satisfies Series] : []),
        ]}
      />
      <Plot title="Accepted, and waiting to be handled" series={[["waiting", 3, "--warn"]]} />
      {proof ? (
        <Plot
          title="Time to an answer in ms, each line ten times the last"
          logarithmic
          series={[
            ["p99", 4, "--flow"],
            ["median", 6, "--quiet"],
          ]}
        />
      ) : (
        <Plot title="Time to an answer, p99 in ms" series={[["p99", 4, "--quiet"]]} />
      )}
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
            aria-valuetext={isBack ? `up to ${clock(toMs)}` : `up to ${theEnd()}`}
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
            Back to {theEnd()}
          </button>
        )}
        {!recorded.value && (
          <a href="/export" download>
            Save as one file
          </a>
        )}
      </div>
    </section>
  );
}

/** What the figures were where the pointer is, and what was struck then. */
function pointed(): string {
  const atMs = pointedMs.value;
  const sample = atMs === undefined ? undefined : samples.value.findLast(([at]) => at <= atMs);
  if (!sample || atMs === undefined) return "Point at a plot to read its figures.";
  const [at, accepted, handled, waiting, p99Ms, failed = 0, medianMs = -1] = sample;
  const struck = between(atMs, atMs).map(nameOf);
  const figures = [
    `${count(accepted)}/s accepted`,
    `${count(Math.round(handled))}/s handled`,
    `${count(waiting)} waiting`,
    ...(failed > 0 ? [`${count(failed)} failed at first`] : []),
  ];
  const times = [p99Ms >= 0 && `p99 ${ms(p99Ms)}`, medianMs >= 0 && `median ${ms(medianMs)}`];
  return [`${clock(at)}: ${figures.join(", ")}`, ...times, ...struck].filter(Boolean).join("; ");
}

const nameOf = ({ fault, target }: Band): string => visible(`${fault} ${target}`);

const between = (fromMs: number, toMs: number): Band[] =>
  Object.values(bands.value ?? {}).filter((band) => band.fromMs <= toMs && (band.toMs ?? Infinity) >= fromMs);

/** The bands of the plots by name: the newest ones. */
function Struck({ fromMs, toMs }: { fromMs: number; toMs: number }) {
  const all = between(fromMs, toMs);
  const here = all.slice(-mostNamed);
  if (here.length === 0) return null;
  return (
    <ul class="struck" aria-label="Faults in this time">
      {here.map((band) => (
        <li key={`${band.fromMs} ${band.target}`}>
          {nameOf(band)}, {clock(band.fromMs)} – {band.toMs === undefined ? theEnd() : clock(band.toMs)}
        </li>
      ))}
      {all.length > here.length && (
        <li>and {all.length - here.length} before: point at one to read its name</li>
      )}
    </ul>
  );
}
