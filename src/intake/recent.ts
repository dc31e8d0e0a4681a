/**
 * A bounded memory of what was acknowledged lately. A repeated request is answered from it instead of being sent
 * again, and a key that comes back with another order is found out. It only spares work and informs: the ledger's
 * unique key is what protects, also where this memory knows nothing.
 */

/** An acknowledged order: its content in one canonical text, and where it stands on the topic. */
export type Accepted = { content: string; partition: number; offset: number | undefined };

/** Remembers the newest `capacity` orders by id. */
export function createRecent(capacity: number) {
  const entries = new Map<string, Accepted>();
  return {
    get: (id: string): Accepted | undefined => entries.get(id),
    add(id: string, accepted: Accepted): void {
      entries.set(id, accepted);
      if (entries.size > capacity) entries.delete(entries.keys().next().value as string);
    },
  };
}
