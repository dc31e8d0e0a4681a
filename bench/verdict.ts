/** A figure held against what was aimed at: the forms that this takes. */
import type { ResultRow, Spread } from "./results.ts";

export type TargetVerdict = {
  measure: string;
  target: string;
  measured: string;
  met: boolean;
  /** What keeps it from being met, where that is known. */
  limit?: string | undefined;
};

export const median = (rows: readonly ResultRow[], side: string, load: string) => {
  const found = rows.find((row) => row.side === side && row.load === load);
  return (name: string): number => found?.figures[name]?.median ?? Number.NaN;
};

export type Fastest = { name: string; load: string; of: (figure: string) => number };

export function fastest(rows: readonly ResultRow[]): Fastest {
  const rate = ({ figures }: ResultRow) =>
    (figures["orders/s"] as Spread | undefined)?.median ?? Number.NEGATIVE_INFINITY;
  const [best] = rows.toSorted((a, b) => rate(b) - rate(a));
  return {
    name: best?.side ?? "none",
    load: best?.load ?? "",
    of: (figure) => best?.figures[figure]?.median ?? Number.NaN,
  };
}

export const perSecond = (rate: number) => `${Math.round(rate).toLocaleString("en")}/s`;

export const ratio = (
  measure: string,
  rate: number,
  peer: Fastest,
  target: number,
  limit?: string,
): TargetVerdict => ({
  measure,
  target: `≥ ${target.toFixed(1)} × the best peer`,
  measured: `${(rate / peer.of("orders/s")).toFixed(2)} × (${perSecond(rate)}; ${peer.name} ${perSecond(peer.of("orders/s"))})`,
  met: rate >= target * peer.of("orders/s"),
  limit,
});

export const share = (
  measure: string,
  rate: number,
  whole: number,
  target: number,
  limit?: string,
): TargetVerdict => ({
  measure,
  target: `≥ ${100 * target} %`,
  measured: `${Math.round((100 * rate) / whole)} % (${perSecond(rate)} of ${perSecond(whole)})`,
  met: rate >= target * whole,
  limit,
});

export const atLeast = (measure: string, rate: number, target: number, limit?: string): TargetVerdict => ({
  measure,
  target: `≥ ${perSecond(target)}`,
  measured: perSecond(rate),
  met: rate >= target,
  limit,
});

export const atMost = (
  measure: string,
  value: number,
  target: number,
  unit: string,
  limit?: string,
): TargetVerdict => ({
  measure,
  target: `≤ ${target} ${unit}`,
  measured: `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ${unit}`,
  met: value <= target,
  limit,
});

/** CPU times, in µs. */
export const times = (
  measure: string,
  cost: number,
  least: number,
  target: number,
  limit?: string,
): TargetVerdict => ({
  measure,
  target: `≤ ${target} ×`,
  measured: `${(cost / least).toFixed(2)} × (${cost.toFixed(0)} of ${least.toFixed(0)} µs)`,
  met: cost <= target * least,
  limit,
});
