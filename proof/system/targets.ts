// Finds the container that a fault is meant for: any of a tier, the n-th, all, or the one that has a role at this very
// moment. A fault never hits another one than it was told to: what can't be found is said, with what there is.

import type { Container } from "../../infra/topology.ts";
import { UserError } from "../../kit/user-error.ts";
import { shuffled } from "../plan/random.ts";
import type { System, Tier } from "./system.ts";

/** The roles that a container can have in its tier, by the tier. */
export const roles = {
  broker: {
    leader: "leads the most partitions of the orders, or the one that is named",
    controller: "decides who leads",
    coordinator: "keeps the consumers' group and its offsets",
  },
  zookeeper: { leader: "leads the ensemble", follower: "follows its leader" },
} as const satisfies Partial<Record<Tier, Record<string, string>>>;

export type Role = "leader" | "follower" | "controller" | "coordinator";

/** Which of a tier; without anything else: any one. */
export interface Target {
  tier: Tier;
  role?: Role;
  /** For a leading broker: of which partition. */
  partition?: number;
  /** Counted from 1, in the order of their names. */
  nth?: number;
  /** So many of them, or all. */
  count?: number | "all";
}

/**
 * The containers that a target means now, of those that run.
 * @param random chooses where any will do, from 0 to below 1
 * @throws UserError when there is none
 */
export async function findTargets(
  system: System,
  target: Target,
  random: () => number = Math.random,
): Promise<Container[]> {
  const { tier, role, nth, count = 1 } = target;
  const all = await system.containers(tier);
  if (nth !== undefined) {
    const found = all[nth - 1];
    if (!found) throw new UserError(`There is no ${tier} ${nth}; there are ${all.length}.`);
    return [running(found)];
  }
  const up = all.filter(({ state }) => state === "running");
  if (role) return [await withRole(system, up, target, random)];
  const wanted = count === "all" ? up.length : count;
  if (up.length < Math.max(1, wanted))
    throw new UserError(
      `${up.length} of tier ${tier} run${all.length ? "" : ", none exists"}; wanted: ${wanted || "all"}.`,
    );
  return shuffled(up, random).slice(0, wanted).toSorted(byName);
}

async function withRole(
  system: System,
  up: Container[],
  target: Target,
  random: () => number,
): Promise<Container> {
  const { tier, role = "leader" } = target;
  if (!(tier in roles && role in roles[tier as keyof typeof roles]))
    throw new UserError(`A ${tier} can't be asked for as ${role}${rolesOf(tier)}.`);
  if (tier === "broker") return brokerWith(system, up, target);
  const modes = await Promise.all(up.map((node) => system.mode(node)));
  const found = shuffled(
    up.filter((_, index) => modes[index] === role),
    random,
  )[0];
  if (!found)
    throw new UserError(
      `No ZooKeeper node is ${role} now: ${modes.map((mode) => mode ?? "none").join(", ")}.`,
    );
  return found;
}

async function brokerWith(system: System, up: Container[], { role, partition }: Target): Promise<Container> {
  const { controller, coordinator, partitions } = await system.cluster();
  const led = partitions.filter(
    (one) => one.topic === "orders" && (partition === undefined || one.partition === partition),
  );
  const counts = Map.groupBy(led, ({ leader }) => leader);
  const leader = [...counts].toSorted(([a, led], [b, ledToo]) => ledToo.length - led.length || a - b)[0]?.[0];
  const id = { controller, coordinator, leader }[role as keyof typeof roles.broker];
  const found = up.find(({ service }) => service === `kafka${id}`);
  if (!found)
    throw new UserError(
      `No broker that runs is ${role}${partition === undefined ? "" : ` of partition ${partition}`} now.`,
    );
  return found;
}

function running(container: Container): Container {
  if (container.state !== "running")
    throw new UserError(`${container.name} does not run: ${container.state}.`);
  return container;
}

function rolesOf(tier: Tier): string {
  const known = Object.keys(roles[tier as keyof typeof roles] ?? {});
  return known.length > 0 ? `, only as ${known.join(", ")}` : "; it has no roles";
}

const byName = (a: Container, b: Container) => a.name.localeCompare(b.name, "en", { numeric: true });
