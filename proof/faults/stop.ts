// The end as an operator means it: it is asked to end, may finish its work, and is killed after its grace period.
import { askToEnd, each, type Fault, startAgain } from "./fault.ts";

export const stop: Fault = {
  what: "asks it to end, and leaves it so",
  inject: async (system, targets, { stop }) => {
    await each(targets, (one) => askToEnd(system, one, stop));
    return undefined;
  },
  heal: startAgain,
};
