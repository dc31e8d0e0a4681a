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
const fewestAwaited = 16;
const mostAwaited = 256;
/** Those who were answered are waited for so many times as long as their acknowledgement took. */
const patienceFactor = 2;
/** The distance of few, in acknowledgements: quick brokers take groups for little; and at most. */
const distanceFactor = 15;
const mostDistanceMs = 75;
/** It is kept while about so many of them are worth it; else by one group in so many, to find out. */
const leastWorth = 0.45;
const triedEvery = 128;

/**
 * Keeps groups of few apart, for each costs brokers and consumers the same, whatever is in it: a third less CPU of the whole
 * topology at 200 orders a second. Worth a distance is where a second order came, and one late: who waits for answers comes soon.
 */
function createSpacing() {
  let [keptMs, worth, groups] = [0, 0, 0];
  return {
    /** @returns ms until the next group, when one was acknowledged within so many */
    begin(acknowledgedMs: number): number {
      groups += 1;
      const isKept = worth > leastWorth || groups % triedEvery === 0;
      keptMs = isKept ? Math.min(distanceFactor * acknowledgedMs, mostDistanceMs) : 0;
      return keptMs;
    },
    /** @param cameMs the last of so many orders, since `begin` */
    end(orders: number, cameMs: number): void {
      if (keptMs > 0) worth += orders > 1 && cameMs > keptMs / 2 ? (1 - worth) / 2 : -worth / 8;
      keptMs = 0;
    },
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
  /** When the newest group was acknowledged, and an item came last. */
  let [settledMs, cameMs] = [0, 0];
  /** While gathering: so many are waited for. */
  let awaited = 0;
  let timer: Timer | undefined;
  let turn: ReturnType<typeof setImmediate> | undefined;

  function flush(): void {
    clearTimeout(timer);
    clearImmediate(turn);
    turn = undefined;
    if (mode === "gathering") mode = "idle";
    spacing.end(held.length, cameMs - settledMs);
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
      if (count < fewestAwaited) cameMs = performance.now();
      if (count === 1) heldSinceMs = cameMs;
      if (mode === "gathering" ? count >= awaited : mode === "idle") turn ??= setImmediate(flush);
      else if (mode === "sent" && count === 1) timer = setTimeout(flush, windowMs);
    },
    /** An item of this group is done, well or not. */
    settled(group: number): void {
      if (group !== newest) return;
      unsettled -= 1;
      if (unsettled > 0) return;
      settledMs = performance.now();
      const tookMs = settledMs - sentMs;
      // One by one most are back already: then so many are there.
      const expected = gathers ? size + held.length : size;
      awaited = Math.max(fewestAwaited, Math.min(expected, mostAwaited));
      const leftMs = windowMs - (held.length > 0 ? settledMs - heldSinceMs : 0);
      const wantedMs = expected < fewestAwaited ? spacing.begin(tookMs) : patienceFactor * tookMs;
      const waitMs = Math.min(wantedMs, leftMs);
      clearTimeout(timer);
      mode = "gathering";
      if (held.length >= awaited || waitMs <= 0) flush();
      else timer = setTimeout(flush, waitMs);
    },
    flush,
  };
}
