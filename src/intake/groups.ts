/**
 * Gathers orders into groups that are sent together, as Nagle's algorithm gathers bytes into segments (RFC 896): with
 * nothing under way an order goes at once, else it is held until the group under way is acknowledged. So an order on its
 * own does not wait, and the busier the brokers, the larger the groups: the number of produce requests costs, not their size.
 *
 * Two things make the next group wait after that. After many, those who were just answered are likely to be back in a
 * moment, and the same clients would make two groups that take turns, for twice the cost: it waits for twice as long as the
 * acknowledgement took. And where orders came meanwhile and the brokers are slow to acknowledge, because they are busy, it
 * waits for longer the slower they are, which is what makes them quicker. Either ends when as many are there as were, so
 * that clients who wait for their answers are not held up, and no order is held for longer than the window.
 */

/** Of fewer, under way and held, the requests cost too little to wait; so many are worth one whoever else may come. */
const many = 16;
const enough = 256;
const patience = 2;
/** Brokers that acknowledge within it are not busy; each millisecond beyond makes the gap between two groups so much longer. */
const promptMs = 5;
const gapPerMs = 8;
/** Weight of the last acknowledgement in their average. */
const smoothing = 1 / 4;

/**
 * @param options.windowMs the longest that an item is held: a group may be stuck at a dead broker
 * @param options.gathers whether all of a group are answered at once, and come back together
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
  /** How long acknowledgements take of late. */
  let smoothedMs = 0;
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
      const tookMs = nowMs - sentMs;
      smoothedMs += smoothing * (tookMs - smoothedMs);
      const heldMs = held.length > 0 ? nowMs - heldSinceMs : 0;
      // One by one most are back already: then so many are there.
      const expected = gathers ? size + held.length : size;
      const gapMs = held.length > 0 ? gapPerMs * (smoothedMs - promptMs) : 0;
      const patienceMs = gathers && expected >= many ? patience * tookMs : 0;
      const limitMs = Math.min(Math.max(gapMs, patienceMs), windowMs - heldMs);
      if (held.length >= Math.min(expected, enough) || limitMs <= 0) {
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
