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
/** Arrivals a second for which it is worth it; by how many times fewer may come with it, or end a trial at once; ms that tell nothing. */
const [fewestArrivals, mostHeldUp, mostAtOnce, chanceMs] = [25, 1.07, 2, 100];

/**
 * Keeps groups of few apart, for each costs brokers and consumers the same, whatever is in it: up to a third less CPU of the whole
 * topology at 200 orders a second. But not where fewer come with it than without, as from who waits for answers: tried as soon as
 * it is known how many come without, then seldom, in the same second by all producers, for a client's next order may go to another.
 */
export function createSpacing() {
  let [second, sinceMs, came, cameMs, isKept] = [0, 0, 0, 0, false];
  /** Arrivals a second, with and without distances; by how much these differ, and at how many a trial is lost; seconds between trials. */
  let [kept, free, differ, bound, every] = [0, 0, 0, 0, 1];
  const smoothed = (of: number, by: number): number => of + (by - of) / 8;
  function begin(now: number, nowMs: number): void {
    const rate = (1_000 * came) / Math.max(1, nowMs - sinceMs - came);
    if (isKept) [kept, every] = [smoothed(kept || rate, Math.max(rate, kept / 1.5)), 1];
    else [free, differ] = [smoothed(free || rate, rate), smoothed(differ, Math.abs(rate - (free || rate)))];
    // Nobody came for a while: it begins anew, but where they were held up not at once.
    if (now > second + 1) [kept, free, differ, every, isKept] = [0, 0, 0, Math.min(every, 16), false];
    if (kept > 0 && kept * mostHeldUp < free) [kept, every, bound] = [0, 128, kept * mostHeldUp];
    const isTried = now % every === 1 || (now % 16 === 1 && free <= bound + 2 * differ);
    [came, sinceMs, isKept] = [0, nowMs, now % 16 > 0 && free >= fewestArrivals && (every === 1 || isTried)];
  }
  return {
    /** An order came, on performance.now(). The millisecond after one does not count: a batch, or who was answered together, is one. */
    came(nowMs: number): void {
      const now = Math.floor(Date.now() / 1_000);
      if (now > second + 1 || (now > second && nowMs > sinceMs + 800)) begin(now, nowMs);
      second = now;
      if (nowMs > cameMs + 1) [came, cameMs] = [came + 1, nowMs];
      const isFew = 1_000 * mostAtOnce * came < free * (nowMs - sinceMs - chanceMs - came);
      if (isKept && kept === 0 && isFew) [isKept, every, bound] = [false, 128, free / mostAtOnce];
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
  const held: Item[] = [];
  /** Of the newest group: number, time of sending, items, and those without their end. Older ones hold up nothing. */
  let [newest, sentMs, size, unsettled] = [0, 0, 0, 0];
  const spacing = createSpacing();
  /** Since when the first is held; while gathering, how many are waited for. */
  let [heldSinceMs, awaited] = [0, 0];
  let timer: Timer | undefined;
  let turn: ReturnType<typeof setImmediate> | undefined;

  function flush(): void {
    clearTimeout(timer);
    clearImmediate(turn);
    turn = undefined;
    if (mode === "gathering") mode = "idle";
    if (held.length === 0) return;
    const items = held.splice(0);
    mode = "sent";
    [newest, sentMs, size, unsettled] = [newest + 1, performance.now(), items.length, items.length];
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
