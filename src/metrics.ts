/** Prometheus metrics of a process: its own registry with the standard process metrics, by prom-client. */
import { collectDefaultMetrics, Registry } from "prom-client";

/** Seconds, from a fast acknowledgement to the longest time limit. */
export const latencyBucketsS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30,
];

/** A registry whose every metric carries the instance. */
export function createRegistry(instance: string): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ instance });
  collectDefaultMetrics({ register: registry });
  return registry;
}
