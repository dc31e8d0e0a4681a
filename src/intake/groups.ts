/**
 * Gathers orders into groups that are sent together, as Nagle's algorithm gathers bytes into segments (RFC 896): when
 * nothing is under way an order goes at once; while some groups are, orders are held until one of them is acknowledged,
 * but never longer than the window. So an order on its own does not wait, and the busier the brokers, the larger the
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
 * @param options.groupsUnderWay so many hold up the next; older ones, which may be stuck at a dead broker, don't
 * @param options.windowMs the longest that an item is held
 * @param options.send called with each group in turn; groups are numbered from 1
 */
export function createGroups<Item>(options: {
  groupsUnderWay: number;
  windowMs: number;
  send: (items: readonly Item[], group: number) => void;
}): Groups<Item> {
  let held: Item[] = [];
  let newest = 0;
  /** Unsettled items of the newest groups, each at its number modulo theirs. */
  const unsettled = Array.from({ length: options.groupsUnderWay }, () => 0);
  const place = (group: number) => group % options.groupsUnderWay;
  let timer: Timer | undefined;
  let turn: ReturnType<typeof setImmediate> | undefined;

  function flush(): void {
    clearTimeout(timer);
    clearImmediate(turn);
    if (held.length === 0) return;
    const items = held;
    held = [];
    newest += 1;
    unsettled[place(newest)] = items.length;
    options.send(items, newest);
  }

  return {
    add(item) {
      if (held.push(item) > 1) return;
      // What arrives in the same turn of the event loop goes together.
      if (unsettled.includes(0)) turn = setImmediate(flush);
      else timer = setTimeout(flush, options.windowMs);
    },
    settled(group) {
      if (group <= newest - options.groupsUnderWay) return;
      const left = (unsettled[place(group)] ?? 0) - 1;
      unsettled[place(group)] = left;
      if (left === 0) flush();
    },
    flush,
  };
}
