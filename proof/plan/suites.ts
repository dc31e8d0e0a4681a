// The rounds that `prove --suite` names.
import { type ScenarioName, scenarioNames } from "./scenarios.ts";
import { rotations } from "./taken-down.ts";

const quick = [
  "producer-kill",
  "balancer-reload",
  "broker-kill-leader",
  "zookeeper-kill-leader",
  "consumer-kill",
] as const;
const notInFull: ReadonlySet<ScenarioName> = new Set([
  ...(["none", "broker-slow", "broker-disk-full"] as const),
  ...rotations.users,
  ...rotations.edge,
]);

/**
 * The rounds that `--suite` names: `full` has every row of the target table, `quick` one of each tier in a few minutes.
 */
export const scenarioSuites: Readonly<Record<"quick" | "full", readonly (readonly ScenarioName[])[]>> = {
  quick: quick.map((name) => [name]),
  full: scenarioNames
    .filter((name) => !notInFull.has(name))
    .map((name) => (name === "slow-bodies" ? [name, "broker-kill-leader"] : [name])),
};
