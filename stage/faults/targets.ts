/** Who is meant, and whether it may be touched. With the guard on no tier is left without its majority. */
import type { Container } from "../../infra/topology.ts";
import type { Instance, TierName, TimelineEvent } from "../../page/state.ts";
import { Refused } from "../refused.ts";
import type { Source } from "../sources/source.ts";

/** Instances that a tier may not fall below with the guard on. */
const fewest: Record<TierName, number> = {
  ...{ balancer: 1, ledger: 1, producer: 1, consumer: 1 },
  ...{ broker: 2, zookeeper: 2 },
};

export interface Surroundings {
  source: Source;
  instances(): Record<string, Instance>;
  note(kind: TimelineEvent["kind"], text: string): void;
}

export type Targets = ReturnType<typeof createTargets>;

export function createTargets({ source, instances }: Pick<Surroundings, "source" | "instances">) {
  function known(target: string): Instance {
    const found = Object.hasOwn(instances(), target) ? instances()[target] : undefined;
    if (!found) throw new Refused(`there is no ${target}`);
    return found;
  }

  return {
    known,
    /** The names of all in a tier. */
    of: (tier: TierName): string[] =>
      Object.keys(instances()).filter((name) => instances()[name]?.tier === tier),
    async there(target: string): Promise<Container> {
      const { tier } = known(target);
      const found = (await source.containers()).get(target);
      if (!found || source.faults[tier].length === 0) throw new Refused(`${target} can't be touched here`);
      return found;
    },
    /** As the command line names it. */
    nthOf: (name: string): string => `${known(name).tier}:${/\d+$/.exec(name)?.[0] ?? "1"}`,
    /** Whoever stops it, a majority stays: those that are up, without this one. */
    guard(tier: TierName, target: string): void {
      const left = Object.entries(instances()).filter(
        ([name, one]) =>
          one.tier === tier && name !== target && one.state === "up" && one.struck.length === 0,
      ).length;
      if (left < fewest[tier])
        throw new Refused(
          `The guard keeps ${fewest[tier]} of tier ${tier} up, and ${left} would be left. Heal first, or turn the guard off.`,
        );
    },
    /** Who takes away one of a tier, if only for a moment, may not leave it to those that are away already. */
    refuseIll(tier: TierName): void {
      for (const [name, { tier: its, state, struck }] of Object.entries(instances()))
        if (its === tier && (["down", "paused"].includes(state) || struck.length > 0))
          throw new Refused(`${name} is ${struck.length > 0 ? `struck by ${struck}` : state}: heal it first`);
    },
  };
}
