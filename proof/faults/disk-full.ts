// A broker whose disk is full: no space is left to append a record, for as long as it lasts. Only where the disk is
// one of its own: on a disk that is shared with this machine it would be the machine that is filled.

import type { Container } from "../../infra/topology.ts";
import { UserError } from "../../kit/user-error.ts";
import { type System, tierOf } from "../system/system.ts";
import { each, type Fault, inVolumesOf, startAgain } from "./fault.ts";

const folder = "/var/lib/kafka/data";
const ballast = `${folder}/ballast`;
/** A disk above this is not one that was made to be filled. */
const boundBytes = 4 * 1024 ** 3;

const holdsData = (one: Container) => tierOf(one) === "broker" && one.state !== "paused";

export const diskFull: Fault = {
  what: "fills a broker's disk, where it has a bounded one of its own",
  inject: async (system, targets) => {
    for (const one of targets) await refuseShared(system, one);
    await each(targets, async (one) => {
      // Ends by finding no space, or with the broker, which found none first.
      const fill = ["bash", "-c", `cat /dev/zero 2>&1 > ${ballast} || true`];
      const said = await system.topology.exec(one, fill).catch((error: Error) => error.message);
      if (!/No space left|exit code 137/.test(said))
        throw new UserError(`the disk of ${one.name} did not fill: ${said}`);
    });
    return undefined;
  },
  // A broker that found no space has ended, and would end again: the ballast goes from outside, then it starts.
  heal: async (system, containers) => {
    await each(containers.filter(holdsData), async (one) => {
      if (one.state === "running") await system.topology.exec(one, ["rm", "-f", ballast]);
      else await inVolumesOf(one, ["rm", "-f", ballast]);
    });
    await startAgain(system, containers);
  },
};

async function refuseShared({ topology }: System, one: Container): Promise<void> {
  if (tierOf(one) !== "broker")
    throw new UserError(`Only a broker's disk can be filled, not that of ${one.name}.`);
  const size = Number(await topology.exec(one, ["bash", "-c", `df -B1 --output=size ${folder} | tail -1`]));
  if (!(size <= boundBytes))
    throw new UserError(
      `The disk of ${one.name} is this machine's own (${Math.round(size / 1024 ** 3)} GB): filling it would fill the machine.`,
    );
}
