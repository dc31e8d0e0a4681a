// The balancer takes its configuration anew, as an operator has it do: new workers inherit the listening sockets, the
// old ones finish what they have. Nothing is left to heal.

import { UserError } from "../../kit/user-error.ts";
import { tierOf } from "../system/system.ts";
import { each, type Fault } from "./fault.ts";

export const reload: Fault = {
  what: "has the balancer read its configuration again",
  inject: async ({ topology }, targets) => {
    const other = targets.find((one) => tierOf(one) !== "balancer");
    if (other) throw new UserError(`Only the balancer can be reloaded, not ${other.name}.`);
    // From inside: a signal that Docker sends counts as a stop that is meant, after which it restarts nothing.
    await each(targets, (one) => topology.exec(one, ["bash", "-c", "kill -USR2 1"]));
    return undefined;
  },
  heal: async () => {},
};
