/**
 * Gathers orders into groups that are sent together, as Nagle's algorithm gathers bytes into segments (RFC 896): with
 * nothing under way an order goes at once, else it is held until the group under way is acknowledged. So an order on its
 * own does not wait, and the busier the brokers, the larger the groups: the number of produce requests costs, not their size.
 *
 * After many, those who were just answered are likely to be back in a moment. Then the next group waits for as many as
 * there were, or the same clients would make two groups that take turns, for twice the cost: no longer than twice as long
 * as the acknowledgement took, and no order is held for longer than the window.
 */

/** Of fewer, under way and held, the requests cost too little to wait; so many are worth one whoever else may come. */
const many = 16;
const enough = 256;
const patience = 2;

/**
 * @param options.windowMs the longest that an item is held: a group may be stuck at a dead broker
 * @param options.gathers whether a group waits for those who were just answered
 * @param options.send called with each group in turn; groups are numbered from 1
 */
export function createGroups<Item>(options: {
  windowMs: number;
  gathers: boolean;
  send: (items: readonly Item[], group: number) => void;
}) {
  const { windowMs, gathers, send } = options;
  let held: Item[] = [];
  let heldSinceMs = 0;
  let newest = 0;
  let sentMs = 0;
  /** Items of the newest group, and those without their end; older groups hold up nothing. */
  let size = 0;
  let unsettled = 0;
  /** So many are waited for, though nothing is under way; none if not. */
  let awaited = 0;
  let timer: Timer | undefined;
  let turn: ReturnType<typeof setImmediate> | undefined;

  function flush(): void {
    clearTimeout(timer);
    clearImmediate(turn);
    turn = undefined;
    awaited = 0;
    if (held.length === 0) return;
    const items = held;
    held = [];
    newest += 1;
    size = items.length;
    unsettled = size;
    sentMs = performance.now();
    send(items, newest);
  }

  return {
    /** Takes an item; it is sent within the window, with what arrives in the same turn of the event loop. */
    add(item: Item): void {
      const count = held.push(item);
      if (count === 1) heldSinceMs = performance.now();
      if (awaited > 0 ? count >= awaited : count === 1 && unsettled === 0) turn ??= setImmediate(flush);
      else if (awaited === 0 && count === 1) timer = setTimeout(flush, windowMs);
    },
    /** An item of this group is done, well or not. */
    settled(group: number): void {
      if (group !== newest) return;
      unsettled -= 1;
      if (unsettled > 0) return;
      const nowMs = performance.now();
      const heldMs = held.length > 0 ? nowMs - heldSinceMs : 0;
      const limitMs = Math.min(patience * (nowMs - sentMs), windowMs - heldMs);
      const expected = size + held.length;
      if (!gathers || expected < many || held.length >= enough || limitMs <= 0) {
        flush();
        return;
      }
      awaited = Math.min(expected, enough);
      clearTimeout(timer);
      timer = setTimeout(flush, limitMs);
    },
    /** Sends at once what is held. */
    flush,
  };
}
