// Clients that place batches without a pause, each its next one when it has the last one's answer: so many batches are
// under way all the time, whatever the system is at.
import { place } from "../../client/client.ts";
import { batchOf } from "../../client/mix.ts";
import type { ClientAnswer } from "../../history/history.ts";
import type { System } from "../../system/system.ts";

/**
 * Starts at once; every order is tried as a good client does.
 * @param stop ends it at once: what is under way is unknown then
 */
export function startCrowd(
  { url, access }: Pick<System, "url" | "access">,
  clients: number,
  stop: AbortSignal,
) {
  const run = crypto.randomUUID();
  const answers: ClientAnswer[] = [];
  let isOver = false;
  let sent = 0;
  let underWay = 0;
  const all = Array.from({ length: clients }, async () => {
    while (!isOver && !stop.aborted) {
      underWay += 1;
      const batch = { ...batchOf(run, sent++), repeated: false };
      answers.push(...(await place(url, batch, stop, { access })));
      underWay -= 1;
    }
  });
  return {
    /** Batches without their final answer. */
    underWay: () => underWay,
    /** Batches sent so far. */
    sent: () => sent,
    /** Sends nothing new, and resolves with what was told of each order when the last answer is there. */
    async stop(): Promise<readonly ClientAnswer[]> {
      isOver = true;
      await Promise.all(all);
      return answers;
    },
  };
}
