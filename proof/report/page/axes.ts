/** Scales and axes of the report's plots: all plots of a page share one axis of time. */

import type { Measures } from "../measures.ts";
import { clock, escaped } from "./format.ts";

/** Of each plot, in units of its own that the page scales. */
export const frame = { width: 1_000, left: 112, right: 12, top: 10, bottom: 22 };

export type Scale = (value: number) => number;
export type Tick = { at: number; label: string };

/** A number with as many digits as a plot can show. */
export const px = (value: number): string => String(Math.round(value * 10) / 10);

/** Where a time of the run lies. */
export function timeScale({ startMs, endMs }: Pick<Measures, "startMs" | "endMs">): Scale {
  const width = frame.width - frame.left - frame.right;
  // What lies before the beginning stands at the beginning.
  return (atMs) => frame.left + (Math.max(0, atMs - startMs) / Math.max(1, endMs - startMs)) * width;
}

/** Marks of time at whole steps, at most a dozen. */
export function timeTicks({ startMs, endMs }: Pick<Measures, "startMs" | "endMs">): Tick[] {
  const seconds = (endMs - startMs) / 1_000;
  const step = [5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600].find((one) => seconds / one <= 12) ?? 7_200;
  return Array.from({ length: Math.floor(seconds / step) + 1 }, (_, n) => ({
    at: startMs + n * step * 1_000,
    label: clock(n * step * 1_000),
  }));
}

/** From 0 up to the highest value, rounded up to a whole step. */
export function linear(highest: number, height: number): { scale: Scale; ticks: Tick[] } {
  const magnitude = 10 ** Math.floor(Math.log10(Math.max(1, highest) / 3));
  const step =
    [1, 2, 5, 10].map((one) => one * Math.max(1, magnitude)).find((one) => highest / one <= 4) ??
    magnitude * 10;
  const top = Math.max(step, Math.ceil(highest / step) * step);
  const ticks = Array.from({ length: Math.round(top / step) + 1 }, (_, n) => n * step);
  return {
    scale: (value) => frame.top + height * (1 - value / top),
    ticks: ticks.map((at) => ({ at, label: at.toLocaleString("en") })),
  };
}

/** Times from 1 ms up, each tenfold as high again. */
export function logarithmic(highestMs: number, height: number): { scale: Scale; ticks: Tick[] } {
  const decades = Math.max(2, Math.ceil(Math.log10(Math.max(10, highestMs))));
  const label = (ms: number) => (ms < 1_000 ? `${ms} ms` : `${ms / 1_000} s`);
  return {
    scale: (ms) => frame.top + height * (1 - Math.log10(Math.max(1, ms)) / decades),
    ticks: Array.from({ length: decades + 1 }, (_, n) => ({ at: 10 ** n, label: label(10 ** n) })),
  };
}

/** Lines across at each tick, with its label to the left. */
export const rows = (ticks: readonly Tick[], scale: Scale): string =>
  ticks
    .map(({ at, label }) => {
      const y = px(scale(at));
      return `<line class="grid" x1="${frame.left}" x2="${frame.width - frame.right}" y1="${y}" y2="${y}"/><text class="tick" text-anchor="end" x="${frame.left - 8}" y="${y}" dy="0.32em">${escaped(label)}</text>`;
    })
    .join("");

/** The labels of time under a plot. */
export const columns = (ticks: readonly Tick[], scale: Scale, bottom: number): string =>
  ticks
    .map(
      ({ at, label }) =>
        `<text class="tick" text-anchor="middle" x="${px(scale(at))}" y="${bottom + 16}">${label}</text>`,
    )
    .join("");
