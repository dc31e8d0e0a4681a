// A rolling restart: one after the other is asked to end, started again, and well before the next one goes, as a new
// version is brought in. Well means the whole system: every replica in sync, every consumer in its group.
import { SetupError } from "../../infra/setup/step.ts";
import type { Container } from "../../infra/topology.ts";
import { settle } from "../settle.ts";
import { type System, tierOf } from "../system.ts";
import { type Fault, startAgain } from "./fault.ts";

const wellLimitMs = 90_000;

/**
 * There is no other balancer: one that finishes first what its clients keep open would keep them from the next one for
 * seconds. It is ended at once, and its restart policy has it back before they have tried again.
 */
const end = ({ topology }: System, one: Container) =>
  tierOf(one) === "balancer" ? topology.kill(one, "TERM") : topology.stop(one);

export const restart: Fault = {
  what: "restarts one after the other, waiting for each",
  inject: async (system, targets, { stop }) => {
    for (const one of targets) {
      await end(system, one);
      await system.topology.start(one);
      const left = await settle(system, wellLimitMs, stop);
      if (left.length > 0)
        throw new SetupError(`${wellLimitMs / 1_000} s after the restart of ${one.name}: ${left.join("; ")}`);
    }
    return undefined;
  },
  heal: startAgain,
};
