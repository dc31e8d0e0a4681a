// What the demo reads out of metrics in Prometheus' text format, the balancer's and the instances'.

export interface MetricSample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** Every sample of a page. */
export function parseMetrics(page: string): MetricSample[] {
  return [...page.matchAll(/^(\w+)(?:\{(.*)\})? (\S+)/gm)].map(([, name = "", labels = "", value]) => ({
    name,
    labels: Object.fromEntries(
      [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label = "", text = ""]) => [label, text]),
    ),
    value: Number(value),
  }));
}

/** The samples of a name that carry these labels. */
export function select(
  samples: MetricSample[],
  name: string,
  labels: Record<string, string> = {},
): MetricSample[] {
  const wanted = Object.entries(labels);
  return samples.filter(
    (sample) => sample.name === name && wanted.every(([label, text]) => sample.labels[label] === text),
  );
}

/** Their sum. */
export function total(samples: MetricSample[], name: string, labels?: Record<string, string>): number {
  return select(samples, name, labels).reduce((sum, { value }) => sum + value, 0);
}

export interface InstanceReading {
  /** Orders that a producer accepted, or that a consumer handled, since its start. */
  orders: number;
  /** A producer's orders without their report. */
  inFlightOrders: number;
  /** The partitions that a consumer owns, and what is left to do in them. */
  partitions: number[];
  lagRecords: number;
}

/** What an instance of either tier says of itself. */
export function readingOf(page: string): InstanceReading {
  const samples = parseMetrics(page);
  return {
    orders:
      total(samples, "orders_outcomes_total", { fate: "accepted" }) + total(samples, "orders_handled_total"),
    inFlightOrders: total(samples, "orders_in_flight"),
    partitions: select(samples, "kafka_partition_paused")
      .map(({ labels }) => Number(labels.partition))
      .sort((a, b) => a - b),
    lagRecords: total(samples, "kafka_partition_lag_records"),
  };
}

/** The servers that the balancer sends requests to; not those of its backend for operators, which are never checked. */
export function serversUp(page: string): Set<string> {
  const up = select(parseMetrics(page), "haproxy_server_status", { state: "UP" });
  const taking = up.filter(({ value, labels }) => value === 1 && labels.proxy !== "instances");
  return new Set(taking.map(({ labels }) => labels.server ?? ""));
}
