/**
 * What is done when, as a function of a seed and nothing else: the seed that a run prints gives the same run again.
 * Rounds follow each other, each with a fault or several at once, and the system is whole between them. Where faults
 * are drawn, every round leaves a majority of the brokers and of ZooKeeper, and one of each other tier that has more
 * than one; a fault that is asked for by name comes, whatever it takes down.
 */

import type { FaultName } from "../faults/registry.ts";
import { type Tier, tiers } from "../system/system.ts";
import { seeded, shuffled } from "./random.ts";
import { type ScenarioName, scenarioNames, scenarios } from "./scenarios.ts";
import { downAtOnce, oneByOne, rotations } from "./taken-down.ts";

/** As compose.yaml has them. */
const tierSizes: Record<Tier, number> = {
  producer: 3,
  consumer: 3,
  broker: 3,
  zookeeper: 3,
  balancer: 1,
  ledger: 1,
};

const steadyMs = 20_000;
const restMs = { least: 4_000, most: 8_000 };
/** Until the system is whole after a heal, and for each container of a rolling restart: for the plan's length only. */
const settleMs = 20_000;
const restartMs = 15_000;

export interface Step {
  scenario: ScenarioName;
  /** Chooses the victims where any will do. */
  seed: string;
}

export interface Round {
  steps: Step[];
  /** From the injection to the heal. */
  holdMs: number;
  /** Left alone after it, once whole. */
  restMs: number;
}

export interface Schedule {
  seed: string;
  /** Load without a fault, before the first. */
  steadyMs: number;
  rounds: Round[];
  /** About how long the load runs. */
  expectedMs: number;
}

export interface ScheduleOptions {
  seed: string;
  /** Asked for by name: each entry is a round, of one fault or of several at once. Drawn by default. */
  wanted?: readonly (readonly ScenarioName[])[];
  /** Named ones are repeated, drawn ones are drawn, while they fit. Without it: each named one once. */
  durationMs?: number;
  /** Draws also what takes a majority down. */
  withoutMajority?: boolean;
}

/** @throws RangeError when neither is given, a name or a duration, or not even one fault fits */
export function plan({ seed, wanted, durationMs, withoutMajority = false }: ScheduleOptions): Schedule {
  if (!wanted && durationMs === undefined)
    throw new RangeError("name faults, or a duration to draw them for");
  const random = seeded(seed);
  const rounds: Round[] = [];
  let expectedMs = steadyMs;
  for (;;) {
    const leftMs = (durationMs ?? Number.POSITIVE_INFINITY) - expectedMs;
    const index = rounds.length;
    const names = wanted ? wanted[index % wanted.length] : draw(random, leftMs, withoutMajority);
    if (!names || names.length === 0 || lengthOf(names) > leftMs) break;
    rounds.push({
      steps: names.map((scenario, nth) => ({ scenario, seed: `${seed}/${index}/${nth}` })),
      holdMs: holdOf(names),
      restMs: Math.max(restOf(names), Math.round(restMs.least + random() * (restMs.most - restMs.least))),
    });
    expectedMs += lengthOf(names);
    if (durationMs === undefined && rounds.length === wanted?.length) break;
  }
  if (rounds.length === 0) throw new RangeError("no fault fits into that duration");
  return { seed, steadyMs, rounds, expectedMs };
}

/** Whether that many at once leave a majority of what decides by majority, and one of everything else. */
export function keepsMajority(names: readonly ScenarioName[]): boolean {
  return tiers.every((tier) => {
    const size = tierSizes[tier];
    const down = names.reduce((sum, name) => sum + downAtOnce(scenarios[name], tier, size), 0);
    const deciding = tier === "broker" || tier === "zookeeper";
    return size === 1 || (deciding ? size - down > size / 2 : down < size);
  });
}

const never: ReadonlySet<FaultName> = new Set([
  ...(["none", "disk-full", "overload", "truncate", "topic-anew"] as const),
  ...rotations.edge,
]);

/** What fits the time that is left: one fault, or one time in three two at once, of different tiers. */
function draw(random: () => number, leftMs: number, withoutMajority: boolean): ScenarioName[] {
  const count = random() < 1 / 3 ? 2 : 1;
  const drawn: ScenarioName[] = [];
  for (const name of shuffled(scenarioNames, random)) {
    const { fault, targets } = scenarios[name];
    // A rolling restart waits for the whole system to be well, a full disk and users are not everywhere to be had; beside
    // an overload nothing else could be seen.
    const alone = never.has(fault) || oneByOne.has(fault);
    const taken = new Set(drawn.flatMap((other) => scenarios[other].targets.map(({ tier }) => tier)));
    const together = [...drawn, name];
    if (alone || lengthOf(together) > leftMs || targets.some(({ tier }) => taken.has(tier))) continue;
    if (!withoutMajority && !keepsMajority(together)) continue;
    drawn.push(name);
    if (drawn.length === count) break;
  }
  return drawn;
}

const holdOf = (names: readonly ScenarioName[]) => Math.max(...names.map((name) => scenarios[name].holdMs));
const restOf = (names: readonly ScenarioName[]) =>
  Math.max(...names.map((name) => scenarios[name].restMs ?? 0));

/** About how long a round takes. */
function lengthOf(names: readonly ScenarioName[]): number {
  const restarted = names
    .filter((name) => scenarios[name].fault === "restart")
    .flatMap((name) => scenarios[name].targets)
    .reduce((sum, { tier }) => sum + tierSizes[tier], 0);
  const injectMs = names.reduce((sum, name) => sum + (scenarios[name].injectMs ?? 0), 0);
  return restarted * restartMs + injectMs + holdOf(names) + settleMs + Math.max(restOf(names), restMs.most);
}
