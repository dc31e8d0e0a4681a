// `make down`: removes the containers of `make up`. The orders, the ledger and the offsets stay in their volumes for
// the next time, unless --volumes says otherwise.
import { ownCommandLine } from "../kit/arguments.ts";
import { endInWords, stopWhenTold } from "../kit/child.ts";
import { thisMachine } from "../kit/machine.ts";
import { endService } from "./stage-service.ts";
import { openTopology } from "./topology.ts";

const usage =
  "make down [VOLUMES=1] [SECURE=1]   ends what make up started, and keeps the data, or with VOLUMES=1 removes them";
const options = { volumes: { type: "boolean", default: false } } as const;
const { volumes } = ownCommandLine(usage, options, (given) => given);
const stop = stopWhenTold();
try {
  const topology = openTopology({ stop });
  await endService(thisMachine(stop), (await topology.config()).name);
  const isUp = (await topology.containers()).length > 0;
  if (isUp) console.error("Stopping: producers and consumers finish their work first ...");
  // Its own data may be meant all the same.
  else if (!volumes) await topology.refuseOther("make down");
  await topology.down({ volumes });
  if (!isUp) console.error("Nothing is up here.");
  if (volumes) console.error("Removed, with the data.");
  else if (isUp)
    console.error("Removed. The data are kept for the next `make up`; `make down VOLUMES=1` removes them.");
} catch (error) {
  endInWords(error);
}
