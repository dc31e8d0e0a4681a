// The faults that `prove` knows by name: what is done to whom, for how long, and what is to come of it. The promise
// itself is not repeated here: nothing lost, doubled or falsely accepted holds for every one of them.
import type { FaultName } from "../faults/registry.ts";
import type { Scenario } from "./scenario.ts";

const failover = { firstTryFailed: 0, failed: 0, recoveryMs: 2_000, longestMs: 6_000 };
const takeover = { failed: 0, unseenMs: 15_000 };
/** No request fails, and nothing is delivered again. */
const unnoticed = { firstTryFailed: 0, failed: 0, redelivered: 0 };
const bothTiers = (["producer", "consumer"] as const).map((tier) => ({ tier, count: "all" as const }));

const atTheEdge = <Name extends FaultName>(fault: Name) => ({
  fault,
  targets: [{ tier: "balancer" as const }],
  injectMs: 60_000,
  holdMs: 5_000,
  goals: unnoticed,
});

const table = {
  none: {
    fault: "none",
    targets: [],
    holdMs: 20_000,
    goals: unnoticed,
  },
  "consumer-kill": {
    fault: "kill",
    targets: [{ tier: "consumer" }],
    holdMs: 20_000,
    goals: takeover,
  },
  "consumers-stop": {
    fault: "stop",
    targets: [{ tier: "consumer", count: "all" }],
    holdMs: 60_000,
    goals: { failed: 0, drainedMs: 60_000 },
  },
  // Longer than the group's session (SESSION_TIMEOUT_MS, 10 s): it is given up before it wakes.
  "consumer-pause": {
    fault: "pause",
    targets: [{ tier: "consumer" }],
    holdMs: 20_000,
    goals: takeover,
  },
  "producer-kill": {
    fault: "kill",
    targets: [{ tier: "producer" }],
    holdMs: 10_000,
    goals: { firstTryFailed: 0, failed: 0, recoveryMs: 3_000 },
  },
  "producer-kill-batches": {
    fault: "kill-batches",
    targets: [{ tier: "producer" }],
    injectMs: 15_000,
    holdMs: 5_000,
    goals: { failed: 0 },
  },
  "producer-partition": {
    fault: "partition",
    targets: [{ tier: "producer" }],
    from: { tier: "broker" },
    holdMs: 30_000,
    goals: { firstTryFailedShare: 1 / 3, recoveryMs: 10_000 },
  },
  "tiers-restart": {
    fault: "restart",
    targets: bothTiers,
    holdMs: 0,
    goals: unnoticed,
  },
  "broker-kill-leader": {
    fault: "kill",
    targets: [{ tier: "broker", role: "leader" }],
    holdMs: 20_000,
    goals: failover,
  },
  "broker-kill-controller": {
    fault: "kill",
    targets: [{ tier: "broker", role: "controller" }],
    holdMs: 20_000,
    goals: failover,
  },
  "broker-kill-coordinator": {
    fault: "kill",
    targets: [{ tier: "broker", role: "coordinator" }],
    holdMs: 20_000,
    goals: failover,
  },
  "broker-pause": {
    fault: "pause",
    targets: [{ tier: "broker" }],
    holdMs: 30_000,
    goals: { failed: 0, recoveryMs: 20_000 },
  },
  "broker-slow": { fault: "slow", targets: [{ tier: "broker" }], holdMs: 20_000, goals: { failed: 0 } },
  "broker-disk-full": {
    fault: "disk-full",
    targets: [{ tier: "broker", nth: 1 }],
    holdMs: 20_000,
    goals: { failed: 0 },
  },
  "brokers-stop-two": {
    fault: "stop",
    targets: [{ tier: "broker", count: 2 }],
    holdMs: 30_000,
    // Two JVMs start and catch up under load.
    refusalsEndMs: 45_000,
    goals: { afterHealMs: 15_000 },
  },
  "brokers-kill-all": {
    fault: "kill",
    targets: [{ tier: "broker", count: "all" }],
    holdMs: 5_000,
    refusalsEndMs: 90_000,
    goals: { afterHealMs: 60_000 },
  },
  "zookeeper-kill": {
    fault: "kill",
    targets: [{ tier: "zookeeper", role: "follower" }],
    holdMs: 10_000,
    goals: { failed: 0, recoveryMs: 5_000 },
  },
  "zookeeper-kill-leader": {
    fault: "kill",
    targets: [{ tier: "zookeeper", role: "leader" }],
    holdMs: 10_000,
    goals: { failed: 0, recoveryMs: 5_000 },
  },
  "zookeepers-stop": {
    fault: "stop",
    targets: [{ tier: "zookeeper", count: "all" }],
    holdMs: 60_000,
    goals: { failed: 0 },
  },
  "ledger-stop": {
    fault: "stop",
    targets: [{ tier: "ledger" }],
    holdMs: 60_000,
    goals: { failed: 0, drainedMs: 60_000 },
  },
  "balancer-reload": {
    fault: "reload",
    targets: [{ tier: "balancer" }],
    holdMs: 5_000,
    goals: { firstTryFailed: 0, failed: 0, recoveryMs: 0 },
  },
  "balancer-kill": {
    fault: "kill",
    targets: [{ tier: "balancer" }],
    holdMs: 2_000,
    goals: { failed: 0, recoveryMs: 5_000 },
  },
  // In the suite together with a leader's death: neither may make it worse for those who order.
  "slow-bodies": {
    fault: "slow-bodies",
    targets: [{ tier: "balancer" }],
    injectMs: 10_000,
    holdMs: 20_000,
    goals: { failed: 0, recoveryMs: 5_000, longestMs: 10_000 },
  },
  // The offsets go back: what was cut is destroyed, and what is behind the cut is to be handled.
  "log-cut": {
    fault: "truncate",
    targets: [{ tier: "broker", count: "all" }],
    injectMs: 5_000,
    holdMs: 0,
    refusalsEndMs: 90_000,
    goals: { afterHealMs: 60_000, drainedMs: 60_000 },
  },
  "topic-anew": {
    fault: "topic-anew",
    targets: [{ tier: "broker", count: "all" }],
    injectMs: 5_000,
    holdMs: 5_000,
    refusalsEndMs: 60_000,
    goals: { afterHealMs: 30_000, drainedMs: 60_000 },
  },
  "effect-away": {
    fault: "effect-away",
    targets: [{ tier: "ledger" }],
    holdMs: 60_000,
    // Until the breaker's next probe, and as long as that is followed by what waited.
    restMs: 30_000,
    goals: { firstTryFailed: 0, failed: 0, drainedMs: 60_000 },
  },
  "orders-poisoned": {
    fault: "poison",
    targets: [{ tier: "ledger" }],
    holdMs: 40_000,
    goals: { firstTryFailed: 0, failed: 0, drainedMs: 60_000 },
  },
  "ledger-kill-in-commit": {
    fault: "commit-kill",
    targets: [{ tier: "ledger" }],
    injectMs: 2_000,
    holdMs: 10_000,
    goals: { failed: 0, drainedMs: 60_000 },
  },
  // Only where there are users (SECURE=1); consumers that come back have what they had.
  "rotate-kafka-users": {
    fault: "rotate-kafka-users",
    targets: bothTiers,
    injectMs: 240_000,
    holdMs: 0,
    goals: unnoticed,
  },
  "rotate-ledger-user": {
    fault: "rotate-ledger-user",
    targets: [{ tier: "consumer", count: "all" }],
    injectMs: 120_000,
    holdMs: 0,
    goals: unnoticed,
  },
  "rotate-edge-certificate": atTheEdge("rotate-edge-certificate"),
  "rotate-api-keys": atTheEdge("rotate-api-keys"),
  "rotate-issuer": atTheEdge("rotate-issuer"),
  "everything-restart": {
    fault: "restart",
    targets: (["zookeeper", "broker", "ledger", "producer", "consumer", "balancer"] as const).map((tier) => ({
      tier,
      count: "all",
    })),
    holdMs: 0,
    goals: { failed: 0 },
  },
  // What it is for is to have orders refused: whether that is true is the verdict's to say. The suite's last: Docker's proxy,
  // by which the balancer's port is published, has ended in it.
  overload: {
    fault: "overload",
    targets: [{ tier: "balancer" }],
    injectMs: 120_000,
    holdMs: 0,
    goals: {},
  },
} as const satisfies Record<string, Scenario>;

export type ScenarioName = keyof typeof table;
export const scenarios: Readonly<Record<ScenarioName, Scenario>> = table;
export const scenarioNames = Object.keys(table) as ScenarioName[];
