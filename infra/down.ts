// `make down`: removes the containers of `make up`. The orders, the ledger and the offsets stay in their volumes for
// the next time, unless --volumes says otherwise.
import { ownCommandLine } from "../kit/arguments.ts";
import { Stopped, stopWhenTold } from "../kit/child.ts";
import { thisMachine } from "../kit/machine.ts";
import { UserError } from "../kit/user-error.ts";
import { isSecured } from "./secure/access.ts";
import { endService } from "./stage-service.ts";
import { openTopology } from "./topology.ts";

const usage =
  "make down [VOLUMES=1]   ends what make up started, and keeps the data, or with VOLUMES=1 removes them";
const options = { volumes: { type: "boolean", default: false } } as const;
const { volumes } = ownCommandLine(usage, options, (given) => given);
/** The usual topology and the secured one are apart, each with its data. */
const nothing = `Nothing is up here${isSecured(process.env) ? "" : "; `make down SECURE=1` ends the secured topology"}.`;
const stop = stopWhenTold();
const topology = openTopology({ stop });
try {
  await endService(thisMachine(stop), (await topology.config()).name);
  const isUp = (await topology.containers()).length > 0;
  console.error(isUp ? "Stopping: producers and consumers finish their work first ..." : nothing);
  await topology.down({ volumes });
  if (volumes) console.error("Removed, with the data.");
  else if (isUp)
    console.error("Removed. The data are kept for the next `make up`; `make down VOLUMES=1` removes them.");
} catch (error) {
  if (!(error instanceof UserError || error instanceof Stopped)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
