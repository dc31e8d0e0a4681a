/** The orders that wait for another attempt, so that they can be seen: how many, and of each why and until when. */
import type { HandlingMetrics } from "./metrics.ts";
import type { OwnedPartition } from "./partitions.ts";
import { entryOf, type Work } from "./work.ts";

/** Whether it waits for a dependency (`RetryLater`, or all fail) or for another attempt of its own. */
export type WaitingFor = "dependency" | "attempt";

export function createWaitingOrders({ waiting: gauge }: Pick<HandlingMetrics, "waiting">) {
  const waiting = new Map<string, { work: Work; why: WaitingFor; reason: string }>();
  const watched = new WeakSet<OwnedPartition>();

  function remove(work: Work): void {
    const { id } = entryOf(work).order;
    const found = waiting.get(id);
    if (found?.work !== work) return;
    waiting.delete(id);
    gauge.dec({ for: found.why });
  }

  return {
    remove,
    add(work: Work, why: WaitingFor, reason: string): void {
      const { owner } = work;
      const { id } = entryOf(work).order;
      const other = waiting.get(id);
      if (other) remove(other.work);
      waiting.set(id, { work, why, reason });
      gauge.inc({ for: why });
      if (watched.has(owner)) return;
      watched.add(owner);
      // What was taken away waits with the next owner.
      owner.revoked.signal.addEventListener("abort", () => {
        for (const { work } of waiting.values()) if (work.owner === owner) remove(work);
      });
    },
    /** Of an order that waits: attempts counted, when the next may begin (on the clock's scale), why the last failed. */
    of(id: string): { attempts: number; nextAtMs: number; reason: string } | undefined {
      const found = waiting.get(id);
      return (
        found && { attempts: found.work.attempts, nextAtMs: found.work.notBeforeMs, reason: found.reason }
      );
    },
  };
}
