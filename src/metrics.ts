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
  // V8's, which Bun does not have: to make them up it walks the whole heap, and nothing else goes on meanwhile, for 160 ms
  // in a busy consumer.
  for (const { name } of registry.getMetricsAsArray())
    if (name.startsWith("nodejs_heap_space_")) registry.removeSingleMetric(name);
  return registry;
}

/** What is observed for every order. */
export type LatencyHistogram = { observe(seconds: number): void };

/**
 * A histogram that is cheap to observe: prom-client's finds a bucket by its bound as a text, which takes longer than
 * parsing an order; this counts in an array. Everything else of a metric is prom-client's registry's.
 */
export function latencyHistogram(registry: Registry, name: string, help: string): LatencyHistogram {
  const counts = latencyBucketsS.map(() => 0);
  let count = 0;
  let sum = 0;
  function get() {
    let below = 0;
    const buckets = latencyBucketsS.map((le, at) => {
      below += counts[at] ?? 0;
      return { metricName: `${name}_bucket`, labels: { le: String(le) }, value: below };
    });
    return {
      ...{ name, help, type: "histogram", aggregator: "sum" },
      values: [
        ...buckets,
        { metricName: `${name}_bucket`, labels: { le: "+Inf" }, value: count },
        { metricName: `${name}_sum`, labels: {}, value: sum },
        { metricName: `${name}_count`, labels: {}, value: count },
      ],
    };
  }
  // All that a registry asks of a metric when it is scraped.
  registry.registerMetric({ name, get: async () => get() } as unknown as Histogram);
  return {
    observe(seconds) {
      let bucket = 0;
      while (bucket < counts.length && seconds > (latencyBucketsS[bucket] as number)) bucket += 1;
      if (bucket < counts.length) counts[bucket] = (counts[bucket] as number) + 1;
      count += 1;
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
