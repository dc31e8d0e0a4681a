/**
 * Gathers orders into groups that are sent together, as Nagle's algorithm gathers bytes into segments (RFC 896): the number of
 * produce requests costs, not their size. An order on its own does not wait, and none is held for longer than the window.
 *
 * - idle: nothing is under way. An order goes at once, with those of its turn of the event loop.
 * - sent: the newest group is under way, and what comes is held until all of it is acknowledged.
 * - gathering: the next group waits a moment: after many for those who were just answered and are likely to be back, until as many
 *   are there, else two groups would take turns; after few for whoever comes.
 */
type Mode = "idle" | "sent" | "gathering";

/** Of fewer expected orders the requests cost too little to wait for them; and more than that are never waited for. */
const [fewestAwaited, mostAwaited] = [16, 256];
/** Those who were answered are waited for so many times as long as their acknowledgement took. */
const patienceFactor = 2;
/** The distance of few: so many times what an acknowledgement takes beyond a millisecond, for quick brokers take groups for little. */
const [distanceFactor, mostDistanceMs] = [15, 75];
/** Arrivals a second for which it is worth it; and by how many times fewer may come with it than without. */
const [fewestArrivals, mostHeldUp] = [25, 1.3];
const smoothing = 1 / 4;

/**
 * Keeps groups of few apart, for each costs brokers and consumers the same, whatever is in it: up to a third less CPU of the whole
 * topology at 200 orders a second. But not where fewer come with it than without, as from who waits for answers. That is tried
 * for a second now and then, in the same one by all producers, for a client's next order may go to another of them.
 */
export function createSpacing() {
  let [second, came, cameMs, isKept] = [0, 0, 0, false];
  /** Arrivals in a second of late, without distances and with them; 0: not known. */
  let [free, kept] = [0, 0];
  const average = (of: number): number => (of === 0 ? came : of + smoothing * (came - of));
  function begin(now: number): void {
    if (isKept) kept = average(kept);
    else free = average(free);
    // Nobody came for a while: it begins anew.
    if (now > second + 1) [free, kept] = [0, 0];
    const isWorth = free >= fewestArrivals && kept * mostHeldUp >= free;
    isKept = now % 16 > 0 && (isWorth || now % (kept > 0 ? 64 : 16) === 1);
    [second, came] = [now, 0];
  }
  return {
    /** An order came, on performance.now(). What comes in the same millisecond is one: a batch, or who was answered together. */
    came(nowMs: number): void {
      const now = Math.floor(Date.now() / 1_000);
      if (now !== second) begin(now);
      came += Number(nowMs > cameMs + 1);
      cameMs = nowMs;
    },
    /** @returns ms until the next group, when one was acknowledged within so many */
    distanceMs: (tookMs: number) => (isKept ? Math.min(distanceFactor * (tookMs - 1), mostDistanceMs) : 0),
  };
}

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
  let [newest, sentMs, size, unsettled] = [0, 0, 0, 0];
  const spacing = createSpacing();
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
      const nowMs = performance.now();
      spacing.came(nowMs);
      if (count === 1) heldSinceMs = nowMs;
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
      // One by one most are back already: then so many are there.
      const expected = gathers ? size + held.length : size;
      awaited = Math.max(fewestAwaited, Math.min(expected, mostAwaited));
      const leftMs = windowMs - (held.length > 0 ? nowMs - heldSinceMs : 0);
      const wantedMs = expected < fewestAwaited ? spacing.distanceMs(tookMs) : patienceFactor * tookMs;
      const waitMs = Math.min(wantedMs, leftMs);
      clearTimeout(timer);
      mode = "gathering";
      if (held.length >= awaited || waitMs <= 0) flush();
      else timer = setTimeout(flush, waitMs);
    },
    flush,
  };
}
