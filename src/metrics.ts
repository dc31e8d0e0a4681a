/** Prometheus metrics of a process: its own registry with the standard process metrics, by prom-client. */
import { Counter, collectDefaultMetrics, type Histogram, Registry } from "prom-client";

/** Seconds, from a fast acknowledgement to the longest time limit. */
export const latencyBucketsS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30,
];

/** A registry whose every metric carries the instance. */
export function createRegistry(instance: string): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ instance });
  collectDefaultMetrics({ register: registry });
  // V8's, which Bun does not have: to make them up it walks the whole heap, for 160 ms in a busy consumer.
  for (const { name } of registry.getMetricsAsArray())
    if (name.startsWith("nodejs_heap_space_")) registry.removeSingleMetric(name);
  return registry;
}

/**
 * A histogram that is cheap to observe: prom-client's finds a bucket by its bound as a text, which takes longer than
 * parsing an order; this counts in an array. Everything else of a metric is prom-client's registry's.
 */
export function latencyHistogram(registry: Registry, name: string, help: string) {
  /** By the first bound that is not exceeded; in the end what exceeds all. */
  const counts = [...latencyBucketsS, Infinity].map(() => 0);
  let sum = 0;
  // All that a registry asks of a metric when it is scraped.
  async function get() {
    let count = 0;
    const buckets = counts.map((some, at) => {
      count += some;
      return {
        metricName: `${name}_bucket`,
        labels: { le: String(latencyBucketsS[at] ?? "+Inf") },
        value: count,
      };
    });
    const total = { metricName: `${name}_sum`, labels: {}, value: sum };
    const values = [...buckets, total, { metricName: `${name}_count`, labels: {}, value: count }];
    return { name, help, type: "histogram", aggregator: "sum", values };
  }
  registry.registerMetric({ name, get } as unknown as Histogram);
  return {
    observe(seconds: number): void {
      let bucket = 0;
      while (seconds > (latencyBucketsS[bucket] as number)) bucket += 1;
      counts[bucket] = (counts[bucket] as number) + 1;
      sum += seconds;
    },
  };
}

/**
 * Counters of one name, cheap to count with: what was counted is handed to prom-client when it is asked for.
 * @param labels of each, by what it is called in the code; each is there from the start, at zero
 */
export function cheapCounters<Name extends string>(
  registry: Registry,
  options: { name: string; help: string },
  labels: Record<Name, Record<string, string>>,
): (name: Name) => void {
  const names = Object.keys(labels) as Name[];
  const counts = Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;
  const counter = new Counter({
    ...options,
    labelNames: [...new Set(names.flatMap((name) => Object.keys(labels[name])))],
    registers: [registry],
    collect() {
      for (const name of names) {
        counter.inc(labels[name], counts[name]);
        counts[name] = 0;
      }
    },
  });
  return (name) => {
    counts[name] += 1;
  };
}
