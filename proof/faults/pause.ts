// A process that stands still and knows nothing of it, as in a long collection or on a machine that swaps: its
// connections stay open, nothing is answered, and it wakes up believing that no time has passed.
import { each, type Fault } from "./fault.ts";

export const pause: Fault = {
  what: "freezes it",
  inject: async ({ topology }, targets) => {
    await each(targets, topology.pause);
    return undefined;
  },
  heal: ({ topology }, containers) =>
    each(
      containers.filter(({ state }) => state === "paused"),
      topology.unpause,
    ),
};
