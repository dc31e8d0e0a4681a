// Death without a word, as by a crash: SIGKILL. Nothing is flushed, nobody is told; it stays dead until it is healed.
import { each, type Fault, startAgain } from "./fault.ts";

export const kill: Fault = {
  what: "kills it with -9",
  inject: async ({ topology }, targets) => {
    await each(targets, (one) => topology.kill(one));
    return undefined;
  },
  heal: startAgain,
};
