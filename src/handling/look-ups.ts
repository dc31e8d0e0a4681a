/**
 * Who waits for an order's end: all of a process together cost the ledger one query at a time, at most every 100 ms.
 */
import type { Clock } from "../clock.ts";
import type { Ledger, LedgerView } from "../ledger/ledger.ts";

const askEveryMs = 100;

type Waiter = { id: string; settle: (view?: LedgerView) => void; fail: (error: unknown) => void };

export function createLookUps(ledger: Pick<Ledger, "findMany">, clock: Clock) {
  const waiters = new Set<Waiter>();
  let asking = false;

  async function ask(): Promise<void> {
    if (asking) return;
    asking = true;
    while (waiters.size > 0) {
      const asked = [...waiters];
      try {
        const found = await ledger.findMany([...new Set(asked.map(({ id }) => id))]);
        for (const { id, settle } of asked) if (found.has(id)) settle(found.get(id));
      } catch (error) {
        for (const { fail } of asked) fail(error);
      }
      await clock.sleep(askEveryMs);
    }
    asking = false;
  }

  return {
    /**
     * Resolves when the ledger knows an order, or with nothing when the time is over or the signal aborts.
     * @throws LedgerUnavailableError
     */
    waitFor(id: string, timeoutMs: number, signal: AbortSignal): Promise<LedgerView | undefined> {
      const { promise, resolve: settle, reject: fail } = Promise.withResolvers<LedgerView | undefined>();
      const waiter: Waiter = { id, settle, fail };
      const leave = () => settle(undefined);
      waiters.add(waiter);
      signal.addEventListener("abort", leave);
      const off = clock.timer(timeoutMs, leave);
      void ask();
      return promise.finally(() => {
        off();
        waiters.delete(waiter);
        signal.removeEventListener("abort", leave);
      });
    },
  };
}
