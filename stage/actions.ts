/**
 * What may be done from the page: the faults of the proof, their healing, a rolling restart, a scale. A closed set, checked
 * whole before anything happens. With the guard on nothing is done that would leave a tier without its majority. What was
 * struck is remembered, so that it can be healed when nobody looks any more.
 */

import type { Container } from "../infra/topology.ts";
import { type FaultName, faults } from "./faults.ts";
import type { Source } from "./sources/source.ts";
import type { Band, Instance, TierName, TimelineEvent } from "./state.ts";

export type Action =
  | { do: "strike"; fault: string; target: string; from?: string; unguarded?: boolean }
  | { do: "heal"; target: string }
  | { do: "heal-all" }
  | { do: "restart"; tier: string }
  | { do: "scale"; tier: string; count: number };

/** Why an action was not done, for the person who wanted it. */
export class Refused extends Error {
  override name = "Refused";
}

/** Instances that a tier may not fall below with the guard on. */
const fewest: Record<TierName, number> = {
  ...{ balancer: 1, ledger: 1, producer: 1, consumer: 1 },
  ...{ broker: 2, zookeeper: 2 },
};
const mostInstances = 6;
/** It is down or stands still, for all to see. */
const felling = new Set(["kill", "stop", "pause"]);
/** They leave the instance as able as before. */
const harmless = new Set(["reload"]);

export interface Surroundings {
  source: Source;
  instances(): Record<string, Instance>;
  note(kind: TimelineEvent["kind"], text: string): void;
}

export function createActions({ source, instances, note }: Surroundings) {
  const offered = new Set<string>(Object.values(source.faults).flat());
  const bands = new Map<string, Band>();
  /** Of those that were seen to lie down. */
  const felled = new WeakSet<Band>();
  const injecting = new Set<Band>();
  const stopping = new AbortController();
  let nextBand = 1;
  let rolling: string | undefined;

  const open = () => [...bands.values()].filter(({ toMs }) => toMs === undefined);
  /** What comes while it is healed, or is not done yet, may outlast that: it is healed the next time. */
  const healable = () => open().filter((band) => !injecting.has(band));
  const struckOf = (name: string) => open().filter(({ target }) => target === name);

  async function strike({ fault, target, from, unguarded }: Action & { do: "strike" }): Promise<string> {
    const { tier } = known(target);
    const name = source.faults[tier].find((offered) => offered === fault);
    if (!name) throw new Refused(`${fault} is no fault of a ${tier}`);
    const command = source.command(name, tier, target, from && ` --from ${fromOf(from)}`);
    const container = await there(target);
    const others = from === undefined ? [] : [await there(from)];
    // From here to its band nothing is waited for: of two that come at once, the second one sees the first.
    if (struckOf(target).some((band) => band.fault === fault))
      throw new Refused(`${target} has that already: heal it first`);
    if (known(target).state === "down" && fault !== "reload")
      throw new Refused(`${target} is down: start it first`);
    if (!unguarded && !harmless.has(fault)) guard(tier, target);
    const band: Band = { fault, target, fromMs: Date.now() };
    if (!harmless.has(fault)) bands.set(String(nextBand++), band);
    note("strike", `${fault} ${target}${from ? ` from ${from}` : ""}`);
    injecting.add(band);
    try {
      const remark = await faults[name].inject(source.system, [container], {
        from: others,
        stop: stopping.signal,
      });
      if (remark) note("change", `${target}: ${remark}`);
    } catch (error) {
      // Half of it may be done; where that can't be undone it is struck, until it is healed.
      await undo(name, container).then(
        () => closeThese([band]),
        () => undefined,
      );
      throw error;
    } finally {
      injecting.delete(band);
    }
    return command;
  }
  const undo = async (name: FaultName, container: Container) =>
    faults[name].heal(source.system, await source.system.again([container]));

  /** Whoever stops it, a majority stays: those that are up, without this one. */
  function guard(tier: TierName, target: string): void {
    const left = Object.entries(instances()).filter(
      ([name, one]) => one.tier === tier && name !== target && one.state === "up" && one.struck.length === 0,
    ).length;
    if (left < fewest[tier])
      throw new Refused(
        `The guard keeps ${fewest[tier]} of tier ${tier} up, and ${left} would be left. Heal first, or turn the guard off.`,
      );
  }

  /** Who takes away one of a tier, if only for a moment, may not leave it to those that are away already. */
  function refuseIll(tier: TierName): void {
    for (const [name, { tier: its, state, struck }] of Object.entries(instances()))
      if (its === tier && (["down", "paused"].includes(state) || struck.length > 0))
        throw new Refused(`${name} is ${struck.length > 0 ? `struck by ${struck}` : state}: heal it first`);
  }

  async function heal(target: string): Promise<string> {
    const { tier } = known(target);
    const container = await there(target);
    const healed = healable().filter((band) => band.target === target);
    await healThese([container]);
    closeThese(healed);
    note("heal", `${target} is healed`);
    return source.command("heal", tier, target);
  }

  /** Also what another process struck: healing looks at what is there. */
  async function healAll(): Promise<string> {
    const containers = [...(await source.containers()).values()];
    const healed = healable();
    await healThese(containers);
    closeThese(healed);
    note("heal", "everything is healed");
    return source.command("heal", "broker", "");
  }

  /** What this stage did and has not healed. What others struck is theirs: a proof may be under way. */
  async function healStruck(): Promise<void> {
    const containers = await source.containers();
    const healed = healable().filter(({ fault }) => fault !== "restart");
    const names = new Set(healed.map(({ target }) => target));
    await healThese([...names].flatMap((name) => containers.get(name) ?? []));
    closeThese(healed);
  }

  /** Every fault that there is here, in the order of the list: what is frozen wakes first. Each gets its try. */
  async function healThese(containers: Container[]): Promise<void> {
    const failures: string[] = [];
    for (const [name, fault] of Object.entries(faults))
      try {
        if (!offered.has(name)) continue;
        await fault.heal(source.system, await source.system.again(containers));
      } catch (error) {
        failures.push((error as Error).message);
      }
    if (failures.length > 0) throw new Error(`not healed: ${failures.join("; ")}`);
  }

  /** Goes on by itself: a rolling restart takes as long as each instance needs to be whole again. */
  async function restart(tier: TierName): Promise<string> {
    refuseIll(tier);
    const names = Object.keys(instances()).filter((name) => instances()[name]?.tier === tier);
    const containers = await Promise.all(names.map(there));
    if (rolling) throw new Refused(`a rolling restart of the ${rolling}s is under way`);
    rolling = tier;
    const band: Band = { fault: "restart", target: `${tier}s`, fromMs: Date.now() };
    bands.set(String(nextBand++), band);
    note("strike", `rolling restart of the ${tier}s`);
    void faults.restart
      .inject(source.system, containers, { stop: stopping.signal })
      .then(
        () => note("heal", `the ${tier}s are all restarted`),
        (error) => note("error", `the rolling restart ended: ${error.message}`),
      )
      .finally(() => {
        rolling = undefined;
        band.toMs = Date.now();
      });
    return source.command("restart", tier, "");
  }

  async function scale(tier: TierName, count: number): Promise<string> {
    if (!Number.isInteger(count) || count < 1 || count > mostInstances)
      throw new Refused(`from 1 to ${mostInstances} of a tier`);
    if (count < Object.values(instances()).filter((one) => one.tier === tier).length) refuseIll(tier);
    note("strike", `${tier}s: ${count} wanted`);
    await source.scale(tier, count);
    return source.command("scale", tier, "", String(count));
  }

  function known(target: string): Instance {
    const found = Object.hasOwn(instances(), target) ? instances()[target] : undefined;
    if (!found) throw new Refused(`there is no ${target}`);
    return found;
  }
  async function there(target: string): Promise<Container> {
    const { tier } = known(target);
    const found = (await source.containers()).get(target);
    if (!found || source.faults[tier].length === 0) throw new Refused(`${target} can't be touched here`);
    return found;
  }
  const fromOf = (name: string) => `${known(name).tier}:${/\d+$/.exec(name)?.[0] ?? "1"}`;
  function closeThese(some: Band[]): void {
    for (const band of some) band.toMs ??= Date.now();
  }
  function among(tiers: readonly TierName[], tier: string, done: string): TierName {
    const found = tiers.find((one) => one === tier);
    if (!found) throw new Refused(`the tier ${tier} can't be ${done} here`);
    return found;
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
    observe(): void {
      for (const band of open().filter(({ fault }) => felling.has(fault))) {
        if (instances()[band.target]?.state !== "up") felled.add(band);
        else if (felled.has(band)) band.toMs = Date.now();
      }
    },
    /** What was struck, and when; what ended long ago is left out. */
    bands: (): Record<string, Band> => Object.fromEntries(bands),
    /** Faults that this stage did and has not healed, by instance. */
    struck: (name: string): string[] => struckOf(name).map(({ fault }) => fault),
    isAnything: (): boolean => open().some(({ fault }) => fault !== "restart"),
    forget: (beforeMs: number): void => {
      for (const [key, { toMs }] of bands) if (toMs !== undefined && toMs < beforeMs) bands.delete(key);
    },
    stop: (): void => stopping.abort(),
  };
}
