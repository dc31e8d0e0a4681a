/**
 * What an instance says of itself, made into rates and percentiles over the last seconds. A counter that went back is
 * that of a new process: its rate begins anew.
 */
import { parseMetrics, total } from "../proof/demo/metrics.ts";

const windowMs = 3_000;

export interface Reading {
  /** The instance's own name: a container's is the beginning of its id. */
  name: string;
  ready: boolean;
  ratePerS: number;
  /** Counts over the window by upper bound in seconds, of the step that this tier takes. */
  buckets: Record<HistogramName, Map<number, number>>;
  /** Of the partitions that it owns: orders that are not finished, and the oldest one's age. */
  owned: Map<number, Owned>;
}

export interface Owned {
  lag: number;
  oldestS: number;
  /** Offset after the newest record taken on. */
  position: number;
}

const histograms = {
  request: "http_request_duration_seconds_bucket",
  delivery: "order_delivery_duration_seconds_bucket",
  handler: "order_handler_duration_seconds_bucket",
} as const;
export type HistogramName = keyof typeof histograms;
const histogramNames = Object.keys(histograms) as HistogramName[];

const ofPartition: Record<string, keyof Owned> = {
  kafka_partition_lag_records: "lag",
  kafka_partition_oldest_unfinished_seconds: "oldestS",
  kafka_partition_position: "position",
};

/** The lines that are read, a tenth of the page: to take all of them apart is most of what a look costs. */
const wantedLines = new RegExp(
  `^(?:${[...Object.values(histograms), ...Object.keys(ofPartition), "orders_outcomes_total", "orders_handled_total", "ready"].join("|")})[ {].*$`,
  "gm",
);

interface Counters {
  atMs: number;
  orders: number;
  buckets: Record<HistogramName, Map<number, number>>;
}

/** Keeps the last seconds of one instance. */
export function createReader() {
  let past: Counters[] = [];
  return {
    /** Takes a page of metrics in. */
    read(page: string, atMs = performance.now()): Reading {
      const samples = parseMetrics(page.match(wantedLines)?.join("\n") ?? "");
      const orders =
        total(samples, "orders_outcomes_total", { fate: "accepted" }) +
        total(samples, "orders_handled_total");
      const buckets = Object.fromEntries(
        histogramNames.map((name) => [name, new Map<number, number>()]),
      ) as Counters["buckets"];
      const owned: Reading["owned"] = new Map();
      for (const { name, labels, value } of samples) {
        const which = histogramNames.find((one) => histograms[one] === name);
        if (which) buckets[which].set(Number(labels.le === "+Inf" ? Infinity : labels.le), value);
        const of = ofPartition[name];
        if (of === undefined) continue;
        const partition = Number(labels.partition);
        const known = owned.get(partition) ?? { lag: 0, oldestS: 0, position: 0 };
        known[of] = value;
        owned.set(partition, known);
      }
      const now = { atMs, orders, buckets };
      if (past.some((one) => wentBack(one, now))) past = [];
      past.push(now);
      while (past.length > 2 && (past[1]?.atMs ?? atMs) <= atMs - windowMs) past.shift();
      const first = past[0] ?? now;
      const seconds = (atMs - first.atMs) / 1_000;
      return {
        name: samples.find(({ labels }) => labels.instance)?.labels.instance ?? "",
        ready: total(samples, "ready") === 1,
        ratePerS: seconds > 0 ? (orders - first.orders) / seconds : 0,
        buckets: Object.fromEntries(
          histogramNames.map((name) => [name, minus(buckets[name], first.buckets[name])]),
        ) as Counters["buckets"],
        owned,
      };
    },
    /** Forgets what was: the instance is gone. */
    forget(): void {
      past = [];
    },
  };
}

/** Also of one that has handled no order, and answered others. */
const wentBack = (before: Counters, now: Counters): boolean =>
  before.orders > now.orders ||
  histogramNames.some(
    (name) => (before.buckets[name].get(Infinity) ?? 0) > (now.buckets[name].get(Infinity) ?? 0),
  );

const minus = (later: Map<number, number>, earlier: Map<number, number>): Map<number, number> =>
  new Map([...later].map(([bound, count]) => [bound, count - (earlier.get(bound) ?? 0)]));

/** The 99th percentile in ms of cumulative buckets of one or more instances; undefined where nothing was counted. */
export function p99Of(all: readonly Map<number, number>[]): number | undefined {
  const sums = new Map<number, number>();
  for (const buckets of all)
    for (const [bound, count] of buckets) sums.set(bound, (sums.get(bound) ?? 0) + count);
  const sorted = [...sums].toSorted(([a], [b]) => a - b);
  const rank = (sorted.at(-1)?.[1] ?? 0) * 0.99;
  if (rank === 0) return undefined;
  let [lower, below] = [0, 0];
  for (const [bound, count] of sorted) {
    if (count >= rank) {
      if (bound === Infinity) return lower * 1_000;
      return 1_000 * (lower + ((bound - lower) * (rank - below)) / Math.max(1, count - below));
    }
    [lower, below] = [bound, count];
  }
  return undefined;
}

/** The difference of a count between two times, per second; the last seconds of it. */
export function createRate() {
  let past: [atMs: number, count: number][] = [];
  return (count: number, atMs = performance.now()): number => {
    if (past.some(([, before]) => before > count)) past = [];
    past.push([atMs, count]);
    while (past.length > 2 && (past[1]?.[0] ?? atMs) <= atMs - windowMs) past.shift();
    const [first] = past;
    if (!first || first[0] === atMs) return 0;
    return ((count - first[1]) * 1_000) / (atMs - first[0]);
  };
}
