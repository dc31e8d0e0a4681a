/** What the command line may name, known before anything is there to run it. */

/** In the order in which they run: those without brokers first. */
export const benchmarkNames = [
  ...(["ledger", "topology"] as const),
  ...(["direct", "balanced", "overload", "batch", "consumer", "latency", "memory"] as const),
];
export type BenchmarkName = (typeof benchmarkNames)[number];

/** Numbers of connections that a benchmark is run with. */
export const connectionCounts = [1, 8, 30, 64, 256, 1_024] as const;
export type ConnectionCount = (typeof connectionCounts)[number];
