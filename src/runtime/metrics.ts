/** Prometheus metrics of a process: its own registry with the standard process metrics, by prom-client. */
import { type Counter, collectDefaultMetrics, Registry } from "prom-client";

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
 * parsing an order; this counts in an array.
 */
export function latencyHistogram(registry: Registry, name: string, help: string) {
  /** By the first bound that is not exceeded; in the end what exceeds all. */
  const counts = [...latencyBucketsS, Infinity].map(() => 0);
  let sum = 0;
  register(registry, { name, help, type: "histogram" }, () => {
    let count = 0;
    const buckets = counts.map((some, at) => {
      count += some;
      const le = String(latencyBucketsS[at] ?? "+Inf");
      return { metricName: `${name}_bucket`, labels: { le }, value: count };
    });
    const total = { metricName: `${name}_sum`, labels: {}, value: sum };
    return [...buckets, total, { metricName: `${name}_count`, labels: {}, value: count }];
  });
  return {
    observe(seconds: number): void {
      let bucket = 0;
      while (seconds > (latencyBucketsS[bucket] as number)) bucket += 1;
      counts[bucket] = (counts[bucket] as number) + 1;
      sum += seconds;
    },
  };
}

/** Counters of one name, cheap to count with, by what each is called in the code; all are there at once, at zero. */
export function cheapCounters<Name extends string>(
  registry: Registry,
  options: { name: string; help: string },
  labels: Record<Name, Record<string, string>>,
): (name: Name) => void {
  const names = Object.keys(labels) as Name[];
  const counts = Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;
  register(registry, { ...options, type: "counter" }, () =>
    names.map((name) => ({ labels: labels[name], value: counts[name] })),
  );
  return (name) => {
    counts[name] += 1;
  };
}

/** Registers a metric by all that a registry asks of it when it is scraped: prom-client makes the text of it. */
function register(
  registry: Registry,
  metric: { name: string; help: string; type: string },
  values: () => object[],
): void {
  const get = async () => ({ ...metric, aggregator: "sum", values: values() });
  registry.registerMetric({ name: metric.name, get } as unknown as Counter);
}
