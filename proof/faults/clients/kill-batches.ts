// Death with batches in its hands: some of their orders are written by then and some are not, and nobody was told.
// What the clients are told in the end has to fit what is on the topic, order by order.
import { comesTrue } from "../../../kit/until.ts";
import { UserError } from "../../../kit/user-error.ts";
import { tierOf } from "../../system/system.ts";
import { each, type Fault, inWords, startAgain } from "../fault.ts";
import { startCrowd } from "./crowd.ts";

/** So many that one of three producers is all but certain to have some of them, and no more than one address may. */
const clients = 6;
/** Each has had an answer and sent the next one: connections, caches and groups are as under load. */
const warmBatches = 3 * clients;
const warmLimitMs = 20_000;
/** After the death, so that retries and new batches meet what is left; no longer: it is thousands of orders a second. */
const afterMs = 3_000;

export const killBatches: Fault = {
  what: "kills a producer with -9 while batches are under way",
  inject: async (system, targets, { stop = new AbortController().signal, told }) => {
    const other = targets.find((one) => tierOf(one) !== "producer");
    if (other) throw new UserError(`Batches are under way in producers, not in ${other.name}.`);
    const crowd = startCrowd(system, clients, stop);
    let underWay = 0;
    try {
      if (!(await comesTrue(() => stop.aborted || crowd.sent() >= warmBatches, warmLimitMs)))
        throw new UserError(`${crowd.sent()} batches were sent in ${warmLimitMs / 1_000} s: too few.`);
      stop.throwIfAborted();
      underWay = crowd.underWay();
      await each(targets, (one) => system.topology.kill(one));
      await comesTrue(() => stop.aborted, afterMs);
    } finally {
      told?.(await crowd.stop());
    }
    return `${underWay} batches were under way; of ${crowd.sent()} batches' orders: ${inWords(await crowd.stop())}`;
  },
  heal: startAgain,
};
