/** The orders that wait for another attempt, so that they can be seen: how many, and of each why and until when. */
import type { HandlingMetrics } from "./metrics.ts";
import type { OwnedPartition } from "./partitions.ts";
import { entryOf, type Work } from "./work.ts";

/** Attempts counted so far, when the next may begin (on the clock's scale), and why the last one failed. */
export type WaitingOrder = { attempts: number; nextAtMs: number; reason: string };
/** Whether it waits for a dependency (`RetryLater`, or all fail) or for another attempt of its own. */
export type WaitingFor = "dependency" | "attempt";

export function createWaitingOrders(metrics: HandlingMetrics) {
  const waiting = new Map<string, { work: Work; why: WaitingFor; reason: string }>();
  const counts: Record<WaitingFor, number> = { dependency: 0, attempt: 0 };
  const watched = new WeakSet<OwnedPartition>();

  function change(why: WaitingFor, by: number): void {
    counts[why] += by;
    metrics.waiting.set({ for: why }, counts[why]);
  }

  function remove(work: Work): void {
    const { id } = entryOf(work).order;
    const found = waiting.get(id);
    if (found?.work !== work) return;
    waiting.delete(id);
    change(found.why, -1);
  }

  return {
    remove,
    add(work: Work, why: WaitingFor, reason: string): void {
      const { owner } = work;
      const { id } = entryOf(work).order;
      const other = waiting.get(id);
      if (other) remove(other.work);
      waiting.set(id, { work, why, reason });
      change(why, 1);
      if (watched.has(owner)) return;
      watched.add(owner);
      // What was taken away waits with the next owner.
      owner.revoked.signal.addEventListener("abort", () => {
        for (const { work } of waiting.values()) if (work.owner === owner) remove(work);
      });
    },
    of(id: string): WaitingOrder | undefined {
      const found = waiting.get(id);
      if (!found) return undefined;
      const { attempts, notBeforeMs } = found.work;
      return { attempts, nextAtMs: notBeforeMs, reason: found.reason };
    },
  };
}
