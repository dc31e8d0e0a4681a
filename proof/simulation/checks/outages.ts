/**
 * What must hold of a process while all its orders fail, as far as its calls of the handler tell: from ten first attempts of
 * five customers on, or five where none was handled for ten seconds, and until one is, it begins no more than probes.
 */
import { partyOf } from "../../../src/order.ts";
import type { PlacedOrder } from "../../../src/wire/validation.ts";

/** The core's own bounds. */
const fewestFailed = 10;
const fewestCustomers = 5;
const windowMs = 10_000;
/** What may have been admitted before, and probes: two a second at first, then one in five seconds on average. */
const mostBegun = 110;
const mostProbesAMinute = 30;

export function createOutageWatch(nowMs: () => number) {
  const tried = new Set<string>();
  /** Since the last that was handled: who was begun for the first time, and who of those failed, by customer. */
  const fresh = new Set<string>();
  const failed = new Map<string, string>();
  let handledAtMs = Number.NEGATIVE_INFINITY;
  let sinceMs: number | undefined;
  let attempts = 0;

  return {
    /** @returns how many were begun since it should hold back, where that is more than probes */
    begins(id: string): number | undefined {
      if (!tried.has(id)) fresh.add(id);
      tried.add(id);
      if (sinceMs === undefined) return undefined;
      attempts += 1;
      const most = mostBegun + ((nowMs() - sinceMs) / 60_000) * mostProbesAMinute;
      return attempts > most ? attempts : undefined;
    },
    failed(order: PlacedOrder): void {
      if (sinceMs !== undefined) return;
      if (fresh.has(order.id)) failed.set(order.id, partyOf(order));
      const nearlyAll = failed.size >= fewestFailed || handledAtMs < nowMs() - windowMs;
      if (nearlyAll && new Set(failed.values()).size >= fewestCustomers) sinceMs = nowMs();
    },
    handled(): void {
      handledAtMs = nowMs();
      fresh.clear();
      failed.clear();
      sinceMs = undefined;
      attempts = 0;
    },
  };
}
