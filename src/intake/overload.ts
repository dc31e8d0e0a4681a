/**
 * How many orders may be under way: as many as the bound allows, but in overload no more than are acknowledged within the
 * target. An order that is taken then waits about that long, and the others are refused at once.
 *
 * The control law is a gradient on acknowledgement time (Netflix's concurrency-limits, Envoy's adaptive concurrency filter):
 * - Waits below the target raise the limit by the square root of target / wait.
 * - Waits above it set the limit to throughput × target (Little's law), if ever more wait, or orders are refused. What was
 *   sent before that is not judged again.
 * - Only if all waited long, for three windows of half the target: where some are quick (CoDel, RFC 8289, looks at it too), one
 *   partition waits, and what is over sooner is a hiccup.
 * - A stall (an election) is no overload: what was taken in one is ignored, for as long as the stall was.
 * - If a lower limit shortens no wait, it is not the queue that takes so long: the cut is undone and the target raised above
 *   that wait. It goes back slowly, so that the same is tried again.
 */
export type Overload = ReturnType<typeof createOverload>;

/** Always let in: enough for a group, and to see by that it is over. */
const fewestOrders = 16;
/** A backlog that goes down by itself is never more than this part of what may wait, and so many deviations, above its low. */
const excessShare = 1 / 2;
const deviations = 4;
/** Windows in a row in which even the quickest waited for half the target. */
const slowWindows = 3;
/** A stall is a silence of the target, and of so many times the longest lately: acknowledgements may come in lumps. */
const stallFactor = 2;
/** What is left in each window of the longest silence. */
const silenceKept = 0.8;
/** A wait counts for so many targets at most: a few old orders do not decide. */
const longestTargets = 4;
/** A limit lowered to less than this part should show in the waits, and by more than that part of what is expected. */
const tellingShare = 0.85;
const inertShare = 0.25;
/** So far above waits that are not the queue's the target is raised; and what is left of that in each window. */
const raisedBy = 1.25;
const raiseKept = 0.98;
const never = Number.NEGATIVE_INFINITY;

/** A window: its beginning, acknowledgements, and the waits of those that count. */
const begun = (fromMs: number) => {
  return { fromMs, acknowledged: 0, counted: 0, waitedMs: 0, quickestMs: Number.POSITIVE_INFINITY };
};

/** @param targetMs what an order may wait for its acknowledgement; @param most orders under way, whatever happens */
export function createOverload(targetMs: number, most: number) {
  let goalMs = targetMs;
  let limit = most;
  let inFlight = 0;
  /** The last acknowledgement, or when an order came and no other was under way. */
  let heardMs = never;
  let longestSilenceMs = 0;
  let stall = { endMs: never, ignoredToMs: never };
  /** Since waits were last good: the last cut, and the waits and orders under way before the limit was lowered tellingly. */
  let cut: { atMs: number; waitMs: number; inFlight: number } | undefined;
  let span = begun(0);
  /** Windows in a row in which all waited long. */
  let slow = 0;
  /** Since waits were last good: orders refused, and the fewest under way. */
  let refused = 0;
  let low = 0;

  function calm(): void {
    refused = 0;
    low = inFlight;
  }

  function judge(nowMs: number): void {
    const { fromMs, acknowledged, counted, waitedMs, quickestMs } = span;
    const meanMs = waitedMs / counted;
    longestSilenceMs *= silenceKept;
    goalMs = Math.max(targetMs, goalMs * raiseKept);
    if (meanMs < goalMs) {
      limit = Math.min(most, limit * Math.sqrt(goalMs / meanMs));
      cut = undefined;
      slow = 0;
      calm();
      return;
    }
    low = Math.min(low, inFlight);
    slow = quickestMs < goalMs / 2 ? 0 : slow + 1;
    if (slow < (cut ? 1 : slowWindows)) return;
    // By what is acknowledged in this window, which may begin with a lump and end without; and by what waits how long.
    const room = goalMs * Math.min(acknowledged / (nowMs - fromMs), inFlight / meanMs);
    if (refused + inFlight - low < excessShare * room + deviations * Math.sqrt(room)) return;
    calm();
    // The limit becomes what there is room for, unless the waits show that lowering it does not help.
    const left = cut ? limit / cut.inFlight : 1;
    if (cut && left < tellingShare && meanMs > cut.waitMs * (1 - inertShare * (1 - left))) {
      limit = Math.min(most, cut.inFlight);
      goalMs = raisedBy * meanMs;
      cut = undefined;
      return;
    }
    if (!cut) cut = { atMs: nowMs, waitMs: (inFlight * goalMs) / room, inFlight };
    else if (left < tellingShare) cut = { atMs: nowMs, waitMs: meanMs, inFlight: limit };
    else cut.atMs = nowMs;
    limit = Math.min(most, Math.max(fewestOrders, room));
  }
  return {
    /** How many orders may be under way. Asked before each: one that finds no room counts as refused. */
    limit(count: number, nowMs: number): number {
      inFlight = count;
      if (count === 0 && nowMs - heardMs >= targetMs) {
        // Nothing was under way for a while: what is known is of the past.
        limit = most;
        cut = undefined;
        calm();
        span = begun(nowMs);
      }
      if (count === 0) heardMs = nowMs;
      if (count >= limit) refused += 1;
      return limit;
    },
    /** An order was refused for another reason than this limit. */
    refused(): void {
      refused += 1;
    },
    /** An order was acknowledged, having waited so long. */
    acknowledged(waited: number, nowMs: number): void {
      inFlight -= 1;
      const silenceMs = heardMs === never ? 0 : nowMs - heardMs;
      heardMs = nowMs;
      if (silenceMs >= Math.max(targetMs, stallFactor * longestSilenceMs)) {
        stall = { endMs: nowMs, ignoredToMs: nowMs + silenceMs };
        span = begun(nowMs);
        calm();
      }
      longestSilenceMs = Math.max(longestSilenceMs, silenceMs);
      if (nowMs - span.fromMs >= goalMs / 2) {
        if (span.counted > 0) judge(nowMs);
        span = begun(nowMs);
      }
      span.acknowledged += 1;
      const sinceMs = nowMs - waited;
      const ofStall = sinceMs < stall.endMs && nowMs < stall.ignoredToMs;
      if (ofStall) calm();
      if (ofStall || (cut && sinceMs < cut.atMs)) return;
      span.counted += 1;
      span.quickestMs = Math.min(span.quickestMs, waited);
      span.waitedMs += Math.min(waited, longestTargets * goalMs);
    },
  };
}
