// A rolling restart: one after the other is asked to end, started again, and well before the next one goes, as a new
// version is brought in. Well means the whole system: every replica in sync, every consumer in its group.

import type { Container } from "../../infra/topology.ts";
import { comesTrue } from "../../kit/until.ts";
import { UserError } from "../../kit/user-error.ts";
import { NotWhole, settle } from "../run/settle.ts";
import { type System, tierOf } from "../system/system.ts";
import { askToEnd, type Fault, startAgain } from "./fault.ts";

const wellLimitMs = 90_000;
const endLimitMs = 10_000;

/** Asks it to end, and resolves when it has: only then can it be started again. */
export async function end(system: System, one: Container, stop?: AbortSignal): Promise<void> {
  if (tierOf(one) !== "balancer") return askToEnd(system, one, stop);
  // There is no other balancer: one that finished first what its clients keep open would keep them from the next one
  // for seconds. It is ended at once instead. Docker takes any signal of ours for a stop that is meant, and leaves it
  // down.
  await system.topology.kill(one, "TERM");
  const hasEnded = async () => (await system.again([one])).every(({ state }) => state === "exited");
  if (!(await comesTrue(hasEnded, endLimitMs)))
    throw new UserError(`${one.name} has not ended after ${endLimitMs / 1_000} s`);
}

export const restart: Fault = {
  what: "restarts one after the other, waiting for each",
  inject: async (system, targets, { stop }) => {
    for (const one of targets) {
      await end(system, one, stop);
      await system.topology.start(one);
      const left = await settle(system, wellLimitMs, stop);
      if (left.length > 0)
        throw new NotWhole(`${wellLimitMs / 1_000} s after the restart of ${one.name}: ${left.join("; ")}`);
    }
    return undefined;
  },
  heal: startAgain,
};
