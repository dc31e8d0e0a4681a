/**
 * Gathers orders into groups that are sent together, as Nagle's algorithm gathers bytes into segments (RFC 896): when
 * nothing is under way an order goes at once; while a group is, orders are held until it is acknowledged, but never
 * longer than the window. So an order on its own does not wait, and the busier the brokers, the larger the
 * groups: it is the number of produce requests that costs, not their size.
 */

export type Groups<Item> = {
  /** Takes an item; it is sent within the window. */
  add(item: Item): void;
  /** An item of this group is done, well or not. */
  settled(group: number): void;
  /** Sends at once what is held. */
  flush(): void;
};

/**
 * @param options.windowMs the longest that an item is held: a group may be stuck at a dead broker
 * @param options.send called with each group in turn; groups are numbered from 1
 */
export function createGroups<Item>(options: {
  windowMs: number;
  send: (items: readonly Item[], group: number) => void;
}): Groups<Item> {
  let held: Item[] = [];
  let newest = 0;
  /** Items of the newest group; older groups hold up nothing. */
  let unsettled = 0;
  let timer: Timer | undefined;
  let turn: ReturnType<typeof setImmediate> | undefined;

  function flush(): void {
    clearTimeout(timer);
    clearImmediate(turn);
    if (held.length === 0) return;
    const items = held;
    held = [];
    newest += 1;
    unsettled = items.length;
    options.send(items, newest);
  }

  return {
    add(item) {
      if (held.push(item) > 1) return;
      // What arrives in the same turn of the event loop goes together.
      if (unsettled === 0) turn = setImmediate(flush);
      else timer = setTimeout(flush, options.windowMs);
    },
    settled(group) {
      if (group !== newest) return;
      unsettled -= 1;
      if (unsettled === 0) flush();
    },
    flush,
  };
}
