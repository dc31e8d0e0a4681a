/** One call of a handler, which ends in its time whatever the handler does, and what its failure says. */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Tx } from "../ledger/ledger.ts";
import type { Clock } from "../runtime/clock.ts";
import type { PlacedOrder } from "../wire/validation.ts";
import { type Handler, Reject, RetryLater } from "./handler.ts";
import type { Work } from "./work.ts";

/** In whose doing an error came up that nobody waited for: that of handlers, with listeners of their signals, or the tier's. */
export const whose = new AsyncLocalStorage<"handlers" | "tier">();
/** All rejections are handlers', for they do not tell: a tier reports its own. So is what lost its context, as in a microtask. */
export const isHandlers = (rejected: boolean): boolean => rejected || whose.getStore() !== "tier";

/** A time limit as a signal and as a promise that rejects; one for a whole batch. */
export type Deadline = ReturnType<typeof startDeadline>;

export function startDeadline(clock: Clock, timeoutMs: number) {
  const controller = new AbortController();
  const { promise: reached, reject } = Promise.withResolvers<never>();
  reached.catch(() => undefined);
  const startMs = clock.nowMs();
  let stop = clock.timer(timeoutMs, () => {
    // The process stood still, e.g. in one handler: that was no time of the others'.
    if (clock.nowMs() > startMs + 1.5 * timeoutMs) stop = clock.timer(timeoutMs, end);
    else end();
  });
  function end(): void {
    const error = new DOMException(`not handled within ${timeoutMs} ms`, "TimeoutError");
    // First: what handlers make of the signal comes later.
    reject(error);
    whose.run("handlers", () => controller.abort(error));
  }
  return { startMs, signal: controller.signal, reached, stop: () => stop() };
}

/** Calls the handler. @throws its error, or the deadline's when that comes first */
export function attempt(handler: Handler, work: Work, deadline: Deadline, tx?: Tx): Promise<void> {
  const context = {
    attempt: work.attempts + 1,
    // An `apply` has one.
    tx: tx as Tx,
    // Made when it is asked for, for it takes 2 µs: most handlers are done before.
    get signal() {
      return AbortSignal.any([deadline.signal, work.owner.stopped.signal]);
    },
  };
  const order = copyOf(work.entry.order);
  // One that is no async function may throw, or give what begins only when it is waited for.
  const call = () => ("effect" in handler ? handler.effect(order, context) : handler.apply(order, context));
  return Promise.race([Promise.try(() => whose.run("handlers", call)), deadline.reached]);
}

/** What a handler does to its order reaches neither the ledger's row nor the next attempt. A flat one: 0.1 µs, not 1.4. */
function copyOf(order: PlacedOrder): PlacedOrder {
  for (const name in order) if (typeof order[name as never] === "object") return structuredClone(order);
  return { ...order };
}

/** Whose fault a failure is; late: the order's time was over, be it its handler's or a statement's. */
export type Fault = { kind: "later" | "reject" | "late" | "attempt"; reason: string };

/** What a thrown value says, be it an Error, nothing at all, or an object that throws when it is looked at. */
export function faultOf(thrown: unknown): Fault {
  try {
    if (!(thrown instanceof Error)) return { kind: "attempt", reason: `thrown: ${String(thrown)}` };
    const reason = `${thrown.name}: ${thrown.message}`;
    if (thrown instanceof RetryLater) return { kind: "later", reason };
    if (thrown instanceof Reject) return { kind: "reject", reason };
    return { kind: thrown.name === "TimeoutError" ? "late" : "attempt", reason };
  } catch {
    return { kind: "attempt", reason: "thrown: something that can't be told" };
  }
}

/** What any database, header and log line takes: without control characters, well-formed, and too short for a stack. */
export function oneLine(text: string): string {
  const start = text.slice(0, 1_000).toWellFormed();
  return start.replace(/\p{Cc}/gu, " ");
}
