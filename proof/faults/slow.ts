// A network that is slow: every packet that leaves the container waits. Where the kernel has no netem, what can be had
// is a network that is narrow: packets queue for a bandwidth that is too small. The remark says which it was.

import type { Container } from "../../infra/topology.ts";
import { UserError } from "../../kit/user-error.ts";
import { each, type Fault } from "./fault.ts";
import { healNetworks, inNetworkOf, interfacesOf } from "./network.ts";

const delay = ["netem", "delay", "100ms", "20ms"];
const narrow = ["tbf", "rate", "2mbit", "burst", "16kb", "latency", "300ms"];

export const slow: Fault = {
  what: "delays what it sends by 100 ms, or narrows it to 2 Mbit/s where the kernel has no netem",
  inject: async (_, targets) => {
    const remarks = new Set<string>();
    await each(targets, async (target) => {
      for (const network of await interfacesOf(target)) remarks.add(await slowDown(target, network));
    });
    return [...remarks].join(", ");
  },
  heal: (_, containers) =>
    healNetworks("tc", containers, async (one) => {
      const queues = await inNetworkOf(one, ["tc", "qdisc", "show"]);
      for (const [, network = ""] of queues.matchAll(/^qdisc (?:netem|tbf) \S+ dev (\S+) root/gm))
        await inNetworkOf(one, ["tc", "qdisc", "del", "dev", network, "root"]);
    }),
};

async function slowDown(target: Container, network: string): Promise<string> {
  const add = ["tc", "qdisc", "add", "dev", network, "root"];
  try {
    await inNetworkOf(target, [...add, ...delay]);
    return "every packet delayed by 100 ms";
  } catch (error) {
    if (!(error instanceof UserError && /qdisc kind is unknown|No such file/.test(error.message)))
      throw error;
    await inNetworkOf(target, [...add, ...narrow]);
    return "this kernel has no netem (CONFIG_NET_SCH_NETEM): narrowed to 2 Mbit/s instead of delayed";
  }
}
