/**
 * A bounded memory of what was acknowledged lately. A repeated request is answered from it instead of being sent
 * again, and a key that comes back with another order is found out. It only spares work and informs: the ledger's
 * unique key is what protects, also where this memory knows nothing.
 */
import type { Order } from "../order.ts";

/** An acknowledged order, and where it stands on the topic. */
export type Accepted = { order: Order; partition: number; offset: number | undefined };

/** Remembers the newest `capacity` orders by id. */
export function createRecent(capacity: number) {
  const entries = new Map<string, Accepted>();
  /** The ids from the oldest on, in a ring: to ask the map for its first key costs more the more were deleted. */
  const ids: string[] = [];
  let oldest = 0;
  return {
    get: (id: string): Accepted | undefined => entries.get(id),
    add(id: string, accepted: Accepted): void {
      const known = entries.has(id);
      entries.set(id, accepted);
      if (known) return;
      if (ids.length < capacity) {
        ids.push(id);
        return;
      }
      entries.delete(ids[oldest] as string);
      ids[oldest] = id;
      oldest = (oldest + 1) % capacity;
    },
  };
}
