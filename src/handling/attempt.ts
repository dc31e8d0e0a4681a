/** One call of a handler, which ends in its time whatever the handler does. */
import type { Clock } from "../clock.ts";
import type { Tx } from "../ledger/ledger.ts";
import type { Handler, HandlerContext } from "./handler.ts";
import { entryOf, type Work } from "./work.ts";

/** A time limit as a signal and as a promise that rejects; one for a whole batch. */
export type Deadline = { signal: AbortSignal; reached: Promise<never>; stop: () => void };

export function startDeadline(clock: Clock, timeoutMs: number): Deadline {
  const controller = new AbortController();
  const { promise: reached, reject } = Promise.withResolvers<never>();
  reached.catch(() => undefined);
  const stop = clock.timer(timeoutMs, () => {
    const error = new DOMException(`not handled within ${timeoutMs} ms`, "TimeoutError");
    // First: what handlers make of the signal comes later.
    reject(error);
    controller.abort(error);
  });
  return { signal: controller.signal, reached, stop };
}

/**
 * Calls the handler.
 * @returns undefined when it is done already; else what rejects with the handler's error, or at the deadline
 */
export function attempt(
  handler: Handler,
  work: Work,
  deadline: Deadline,
  tx: Tx | undefined,
): Promise<void> | undefined {
  const call = called(handler, work, tx, deadline.signal);
  return Bun.peek.status(call) === "fulfilled" ? undefined : Promise.race([call, deadline.reached]);
}

/** A handler that is no async function may throw, or give what begins only when it is waited for. */
function called(handler: Handler, work: Work, tx: Tx | undefined, deadline: AbortSignal): Promise<void> {
  const context: HandlerContext = {
    attempt: work.attempts + 1,
    // Made when it is asked for: most handlers are done before.
    get signal() {
      return AbortSignal.any([deadline, work.owner.stopped.signal]);
    },
  };
  const { order } = entryOf(work);
  try {
    if ("effect" in handler) return Promise.resolve(handler.effect(order, context));
    return Promise.resolve(handler.apply(order, Object.assign(context, { tx: tx as Tx })));
  } catch (error) {
    return Promise.reject(error);
  }
}
