/** Who waits for an order's end: all together cost the ledger one query at a time, at most every 100 ms. */
import type { Clock } from "../clock.ts";
import type { Ledger, LedgerView } from "../ledger/ledger.ts";

const askEveryMs = 100;

/** @returns what waits until the ledger knows an order, the time is over or the signal aborts. @throws LedgerUnavailableError */
export function createLookUps(ledger: Pick<Ledger, "findMany">, clock: Clock) {
  const waiters = new Set<{ id: string } & PromiseWithResolvers<LedgerView | undefined>>();
  let asking = false;

  async function ask(): Promise<void> {
    asking = true;
    while (waiters.size > 0) {
      const asked = [...waiters];
      try {
        const found = await ledger.findMany([...new Set(asked.map(({ id }) => id))]);
        for (const { id, resolve } of asked) if (found.has(id)) resolve(found.get(id));
      } catch (error) {
        for (const { reject } of asked) reject(error);
      }
      await clock.sleep(askEveryMs);
    }
    asking = false;
  }

  return (id: string, timeoutMs: number, signal: AbortSignal): Promise<LedgerView | undefined> => {
    const waiter = { id, ...Promise.withResolvers<LedgerView | undefined>() };
    const leave = () => waiter.resolve(undefined);
    waiters.add(waiter);
    signal.addEventListener("abort", leave);
    const off = clock.timer(timeoutMs, leave);
    if (!asking) void ask();
    return waiter.promise.finally(() => {
      off();
      waiters.delete(waiter);
      signal.removeEventListener("abort", leave);
    });
  };
}
