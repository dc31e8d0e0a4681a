/** One fault done to one instance: checked whole before anything happens, and undone where it fails halfway. */
import type { Container } from "../../infra/topology.ts";
import type { Band } from "../../page/state.ts";
import { Refused } from "../refused.ts";
import type { Bands } from "./bands.ts";
import { type FaultName, faults } from "./faults.ts";
import type { Surroundings, Targets } from "./targets.ts";

/** They leave the instance as able as before. */
const harmless = new Set(["reload"]);

export interface Strike {
  fault: string;
  target: string;
  from?: string;
  unguarded?: boolean;
}

export function createStrike(
  { source, note }: Pick<Surroundings, "source" | "note">,
  { known, there, nthOf, guard }: Targets,
  bands: Bands,
  stop: AbortSignal,
) {
  const undo = async (name: FaultName, container: Container) =>
    faults[name].heal(source.system, await source.system.again([container]));

  /** @returns the command that does the same */
  return async ({ fault, target, from, unguarded }: Strike): Promise<string> => {
    const { tier } = known(target);
    const name = source.faults[tier].find((offered) => offered === fault);
    if (!name) throw new Refused(`${fault} is no fault of a ${tier}`);
    const command = source.command(name, tier, target, from && ` --from ${nthOf(from)}`);
    const container = await there(target);
    const others = from === undefined ? [] : [await there(from)];
    // From here to its band nothing is waited for: of two that come at once, the second one sees the first.
    if (bands.of(target).some((band) => band.fault === fault))
      throw new Refused(`${target} has that already: heal it first`);
    if (known(target).state === "down" && fault !== "reload")
      throw new Refused(`${target} is down: start it first`);
    if (!unguarded && !harmless.has(fault)) guard(tier, target);
    const band: Band = { fault, target, fromMs: Date.now() };
    if (!harmless.has(fault)) bands.add(band);
    note("strike", `${fault} ${target}${from ? ` from ${from}` : ""}`);
    bands.injecting.add(band);
    try {
      const remark = await faults[name].inject(source.system, [container], { from: others, stop });
      if (remark) note("change", `${target}: ${remark}`);
    } catch (error) {
      // Half of it may be done; where that can't be undone it is struck, until it is healed.
      await undo(name, container).then(
        () => bands.close([band]),
        () => undefined,
      );
      throw error;
    } finally {
      bands.injecting.delete(band);
    }
    return command;
  };
}
