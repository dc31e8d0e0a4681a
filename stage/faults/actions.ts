/**
 * What may be done from the page: the faults of the proof, their healing, a rolling restart, a scale. A closed set: whatever
 * is not in it, or not in the system's own lists, is refused before anything happens.
 */

import type { TierName } from "../../page/state.ts";
import { Refused } from "../refused.ts";
import { createBands } from "./bands.ts";
import { healThese } from "./faults.ts";
import { createRolling } from "./rolling.ts";
import { createStrike, type Strike } from "./strike.ts";
import { createTargets, type Surroundings } from "./targets.ts";

export type Action =
  | ({ do: "strike" } & Strike)
  | { do: "heal"; target: string }
  | { do: "heal-all" }
  | { do: "restart"; tier: string }
  | { do: "scale"; tier: string; count: number };

const mostInstances = 6;

export function createActions(around: Surroundings) {
  const { source, instances, note } = around;
  const offered = new Set<string>(Object.values(source.faults).flat());
  const stopping = new AbortController();
  const bands = createBands();
  const targets = createTargets(around);
  const strike = createStrike(around, targets, bands, stopping.signal);
  const restart = createRolling(around, targets, bands, stopping.signal);

  async function heal(target: string): Promise<string> {
    const { tier } = targets.known(target);
    const container = await targets.there(target);
    const healed = bands.healable().filter((band) => band.target === target);
    await healThese(source.system, [container], offered);
    bands.close(healed);
    note("heal", `${target} is healed`);
    return source.command("heal", tier, target);
  }

  /** Also what another process struck: healing looks at what is there. */
  async function healAll(): Promise<string> {
    const containers = [...(await source.containers()).values()];
    const healed = bands.healable();
    await healThese(source.system, containers, offered);
    bands.close(healed);
    note("heal", "everything is healed");
    return source.command("heal", "broker", "");
  }

  /** What this stage did and has not healed. What others struck is theirs: a proof may be under way. */
  async function healStruck(): Promise<void> {
    const containers = await source.containers();
    const healed = bands.healable().filter(({ fault }) => fault !== "restart");
    const names = new Set(healed.map(({ target }) => target));
    const struck = [...names].flatMap((name) => containers.get(name) ?? []);
    await healThese(source.system, struck, offered);
    bands.close(healed);
  }

  async function scale(tier: TierName, count: number): Promise<string> {
    if (!Number.isInteger(count) || count < 1 || count > mostInstances)
      throw new Refused(`from 1 to ${mostInstances} of a tier`);
    if (count < targets.of(tier).length) targets.refuseIll(tier);
    note("strike", `${tier}s: ${count} wanted`);
    await source.scale(tier, count);
    return source.command("scale", tier, "", String(count));
  }

  return {
    /** Does it. @returns the command that does the same; @throws Refused, or why it failed */
    async act(action: Action): Promise<string> {
      if (action.do === "strike") return strike(action);
      if (action.do === "heal") return heal(action.target);
      if (action.do === "heal-all") return healAll();
      if (action.do === "restart") return restart(among(source.rolling, action.tier, "restarted one by one"));
      return scale(among(source.scalable, action.tier, "scaled"), action.count);
    },
    healStruck,
    /** Takes a look at the instances: who was struck down and is up again was healed by somebody else. */
    observe: (): void => bands.observe(instances()),
    /** What was struck, and when; what ended long ago is left out. */
    bands: bands.all,
    /** Faults that this stage did and has not healed, by instance. */
    struck: (name: string): string[] => bands.of(name).map(({ fault }) => fault),
    isAnything: (): boolean => bands.open().some(({ fault }) => fault !== "restart"),
    forget: bands.forget,
    stop: (): void => stopping.abort(),
  };
}

function among(tiers: readonly TierName[], tier: string, done: string): TierName {
  const found = tiers.find((one) => one === tier);
  if (!found) throw new Refused(`the tier ${tier} can't be ${done} here`);
  return found;
}
