/** A tier restarted one by one. It goes on by itself: it takes as long as each instance needs to be whole again. */

import type { Band, TierName } from "../../page/state.ts";
import { Refused } from "../refused.ts";
import type { Bands } from "./bands.ts";
import { faults } from "./faults.ts";
import type { Surroundings, Targets } from "./targets.ts";

export function createRolling(
  { source, note }: Pick<Surroundings, "source" | "note">,
  targets: Targets,
  bands: Bands,
  stop: AbortSignal,
) {
  let rolling: string | undefined;

  /** Begins. @returns the command that does the same */
  return async (tier: TierName): Promise<string> => {
    targets.refuseIll(tier);
    const containers = await Promise.all(targets.of(tier).map(targets.there));
    if (rolling) throw new Refused(`a rolling restart of the ${rolling}s is under way`);
    rolling = tier;
    const band: Band = { fault: "restart", target: `${tier}s`, fromMs: Date.now() };
    bands.add(band);
    note("strike", `rolling restart of the ${tier}s`);
    void faults.restart
      .inject(source.system, containers, { stop })
      .then(
        () => note("heal", `the ${tier}s are all restarted`),
        (error) => note("error", `the rolling restart ended: ${error.message}`),
      )
      .finally(() => {
        rolling = undefined;
        band.toMs = Date.now();
      });
    return source.command("restart", tier, "");
  };
}
