/**
 * A bounded memory of what was acknowledged lately. A repeated request is answered from it instead of being sent
 * again, and a key that comes back with another order is found out. It only spares work and informs: the ledger's
 * unique key is what protects, also where this memory knows nothing.
 */

/** Remembers the newest by id: at least half of `capacity`, and never more than that. */
export function createRecent<Accepted>(capacity: number) {
  // Two halves, of which the older goes at once: to delete them one by one costs more than all else here.
  let newer = new Map<string, Accepted>();
  let older = new Map<string, Accepted>();
  return {
    get: (id: string): Accepted | undefined => newer.get(id) ?? older.get(id),
    add(id: string, accepted: Accepted): void {
      newer.set(id, accepted);
      if (newer.size < capacity / 2) return;
      older = newer;
      newer = new Map();
    },
  };
}
