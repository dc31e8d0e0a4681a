/**
 * Gathers orders into groups that are sent together, as Nagle's algorithm gathers bytes into segments (RFC 896): the number of
 * produce requests costs, not their size. An order on its own does not wait, and none is held for longer than the window.
 *
 * - idle: nothing is under way. An order goes at once, with those of its turn of the event loop.
 * - sent: the newest group is under way, and what comes is held until all of it is acknowledged.
 * - gathering: the next group waits a moment, until as many are there as are expected. After many that is for those who were just
 *   answered and are likely to be back: else two groups would take turns. And where orders came meanwhile and the brokers are busy,
 *   the longer the slower they are, which makes them quicker.
 */
type Mode = "idle" | "sent" | "gathering";

/** Of fewer expected orders the requests cost too little to wait for them; and more than that are never waited for. */
const fewestAwaited = 16;
const mostAwaited = 256;
/** Those who were answered are waited for so many times as long as their acknowledgement took. */
const patienceFactor = 2;
/** Brokers that acknowledge within it are not busy; each millisecond beyond makes the gap between two groups so much longer. */
const promptMs = 5;
const gapPerMs = 8;
/** Weight of the last acknowledgement in their average. */
const smoothing = 1 / 4;

/**
 * @param options.windowMs the longest that an item is held: a group may be stuck at a dead broker
 * @param options.gathers all of a group are answered at once, and come back together; @param options.send groups are numbered from 1
 */
export function createGroups<Item>(options: {
  windowMs: number;
  gathers: boolean;
  send: (items: readonly Item[], group: number) => void;
}) {
  const { windowMs, gathers, send } = options;
  let mode: Mode = "idle";
  let held: Item[] = [];
  let heldSinceMs = 0;
  /** Of the newest group: number, time of sending, items, and those without their end. Older ones hold up nothing. */
  let newest = 0;
  let sentMs = 0;
  let size = 0;
  let unsettled = 0;
  /** How long acknowledgements take of late. */
  let smoothedMs = 0;
  /** While gathering: so many are waited for. */
  let awaited = 0;
  let timer: Timer | undefined;
  let turn: ReturnType<typeof setImmediate> | undefined;

  function flush(): void {
    clearTimeout(timer);
    clearImmediate(turn);
    turn = undefined;
    if (mode === "gathering") mode = "idle";
    if (held.length === 0) return;
    const items = held;
    held = [];
    mode = "sent";
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
      if (mode === "gathering" ? count >= awaited : mode === "idle") turn ??= setImmediate(flush);
      else if (mode === "sent" && count === 1) timer = setTimeout(flush, windowMs);
    },
    /** An item of this group is done, well or not. */
    settled(group: number): void {
      if (group !== newest) return;
      unsettled -= 1;
      if (unsettled > 0) return;
      const nowMs = performance.now();
      const tookMs = nowMs - sentMs;
      smoothedMs += smoothing * (tookMs - smoothedMs);
      // One by one most are back already: then so many are there.
      const expected = gathers ? size + held.length : size;
      awaited = Math.min(expected, mostAwaited);
      const busyMs = held.length > 0 ? gapPerMs * (smoothedMs - promptMs) : 0;
      const patienceMs = gathers && expected >= fewestAwaited ? patienceFactor * tookMs : 0;
      const leftMs = windowMs - (held.length > 0 ? nowMs - heldSinceMs : 0);
      const waitMs = Math.min(Math.max(busyMs, patienceMs), leftMs);
      clearTimeout(timer);
      mode = "gathering";
      if (held.length >= awaited || waitMs <= 0) flush();
      else timer = setTimeout(flush, waitMs);
    },
    flush,
  };
}
