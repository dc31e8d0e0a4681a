/** Prometheus metrics of a process: its own registry with the standard process metrics, by prom-client. */
import { collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

/** Seconds, from a fast acknowledgement to the longest time limit. */
const latencyBucketsS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30];

export function createRegistry(instance: string): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ instance });
  // In ms, for the event loop's lag. By its default, 10, it wakes an idle process a hundred times a second, all that it costs.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 100 });
  // V8's, which Bun does not have: to make them up it walks the whole heap, for 160 ms in a busy consumer.
  for (const { name } of registry.getMetricsAsArray())
    if (name.startsWith("nodejs_heap_space_")) registry.removeSingleMetric(name);
  return registry;
}

/** What a metric is when it is asked for. */
export function gaugeOfNow(registry: Registry, name: string, help: string, now: () => number): void {
  const collect = (): void => gauge.set(now());
  const gauge = new Gauge({ name, help, registers: [registry], collect });
}

export const latencyHistogram = (registry: Registry, name: string, help: string): Histogram =>
  new Histogram({ name, help, buckets: latencyBucketsS, registers: [registry] });
