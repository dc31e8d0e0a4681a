// A container that is cut off from some others and not from all: packets between them vanish in both directions, so
// that connections hang rather than break. The others reach it, and it them, as before.

import { UserError } from "../../kit/user-error.ts";
import { each, type Fault } from "./fault.ts";
import { addressesOf, healNetworks, inNetworkOf } from "./network.ts";

/** The name under which the rules can be found again; Docker's own are left alone. */
const chain = "COFFEE_CHAOS";
const table = ["iptables", "--wait", "5"];

export const partition: Fault = {
  what: "cuts it off from others (--from), and from nobody else",
  inject: async (_, targets, { from = [] }) => {
    if (from.length === 0)
      throw new UserError("From whom shall it be cut off? --from broker, --from broker:2 ...");
    const addresses = (await Promise.all(from.map(addressesOf))).flat();
    await each(targets, async (target) => {
      await inNetworkOf(target, [...table, "--new-chain", chain]);
      for (const way of ["INPUT", "OUTPUT"])
        await inNetworkOf(target, [...table, "--append", way, "--jump", chain]);
      for (const address of addresses)
        for (const end of ["--source", "--destination"])
          await inNetworkOf(target, [...table, "--append", chain, end, address, "--jump", "DROP"]);
    });
    return undefined;
  },
  // A container that was started again has a network without the rules.
  heal: (_, containers) =>
    healNetworks("iptables", containers, async (one) => {
      const rules = await inNetworkOf(one, [...table, "--list-rules"]);
      if (!rules.includes(chain)) return;
      for (const way of ["INPUT", "OUTPUT"])
        if (rules.includes(`-A ${way} -j ${chain}`))
          await inNetworkOf(one, [...table, "--delete", way, "--jump", chain]);
      await inNetworkOf(one, [...table, "--flush", chain]);
      await inNetworkOf(one, [...table, "--delete-chain", chain]);
    }),
};
