// The end as an operator means it: it is asked to end, may finish its work, and is killed after its grace period. The
// remark tells who did not end by itself.
import { each, type Fault, startAgain } from "./fault.ts";

export const stop: Fault = {
  what: "asks it to end, and leaves it so",
  inject: async ({ topology }, targets) => {
    await each(targets, topology.stop);
    return undefined;
  },
  heal: startAgain,
};
