// How many of a tier a scenario takes down, and how.
import type { FaultName } from "../faults/registry.ts";
import type { Tier } from "../system/system.ts";
import type { Scenario } from "./scenario.ts";

/** What changes where there are users and keys (SECURE=1): in one of a tier after the other, or at the edge. */
export const rotations = {
  users: ["rotate-kafka-users", "rotate-ledger-user"],
  edge: ["rotate-edge-certificate", "rotate-api-keys", "rotate-issuer"],
} as const;

/** Faults that take nobody down. */
const keepingAll: ReadonlySet<FaultName> = new Set([
  ...(["none", "reload", "slow", "slow-bodies", "overload"] as const),
  ...(["topic-anew", "effect-away", "poison"] as const),
  ...rotations.edge,
]);

/** Faults that take one down after the other. */
export const oneByOne: ReadonlySet<FaultName> = new Set(["restart", ...rotations.users]);

/** How many of a tier are gone at once while it lasts; `size` of them there are. */
export function downAtOnce({ fault, targets }: Scenario, tier: Tier, size: number): number {
  if (keepingAll.has(fault)) return 0;
  const counts = targets
    .filter((target) => target.tier === tier)
    .map(({ count = 1 }) => (count === "all" ? size : count));
  const together = counts.reduce((sum, count) => sum + count, 0);
  return oneByOne.has(fault) ? Math.min(1, together) : together;
}
