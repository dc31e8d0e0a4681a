/**
 * How many orders may be under way: as many as the bound allows, but in overload no more than are acknowledged within the
 * target. An order that is taken then waits about that long, and the others are refused at once.
 *
 * The control law is a gradient on acknowledgement time (Netflix's concurrency-limits, Envoy's adaptive concurrency filter):
 * - Waits below the target raise the limit by the square root of target / wait; in overload no further than throughput allows.
 * - Waits above it set the limit to throughput × target (Little's law), in overload. What was sent before that is not judged again.
 * - It begins when all waited long for a while (CoDel, RFC 8289; where some are quick, one partition waits) and more wait than in
 *   a backlog that goes down by itself. It ends as slowly. What was taken in a stall (an election) is ignored for as long.
 * - If a lower limit changes no wait, it is not the queue: the cut is undone and the target raised above that wait. It goes back
 *   slowly, so that the same is tried again; at once, if the waits rise with the limit.
 */
export type Overload = ReturnType<typeof createOverload>;

/** Always let in: enough for a group, and to see by that it is over. Of fewer than a quarter nothing is judged. */
const fewestOrders = 16;
/** Targets for which even the quickest wait for half of it, or for which they do not and none is refused. */
const decidingTargets = 1.5;
/** A stall is a silence of the target, and of twice the longest lately, of which so much is left in each window. */
const silenceKept = 0.8;
/** A wait counts for so many targets at most: a few old orders do not decide. */
const longestTargets = 4;
/** A limit lowered to less than this part should show in the waits, and by more than that part of what is expected. */
const [tellingShare, inertShare] = [0.85, 0.15];
/** So far above what is measured the target and the limit are raised. Of the target's raise, this is left in each window. */
const [raisedBy, raiseKept] = [1.25, 0.98];
const never = Number.NEGATIVE_INFINITY;
/** A window: its beginning, acknowledgements per ms in the one before, its own, and the waits of those that count. */
const begun = (fromMs: number, rateBefore = Infinity) => {
  return { fromMs, rateBefore, acknowledged: 0, counted: 0, waitedMs: 0, quickestMs: Infinity };
};

/** The control law: how many orders may be under way, from one window of acknowledgements to the next. */
function createLaw(targetMs: number, most: number) {
  let [goalMs, limit] = [targetMs, most];
  /** It is overload, and for how long it has looked otherwise. */
  let [lasts, otherwiseMs] = [false, 0];
  /** Since waits were last good: the last cut, and the waits and orders under way before the limit was lowered tellingly. */
  let cut: { atMs: number; waitMs: number; inFlight: number } | undefined;
  /** Since waits were last good: orders refused, and the fewest under way. */
  let [refused, low] = [0, 0];

  function calm(inFlight: number): void {
    refused = 0;
    low = inFlight;
  }
  return {
    goalMs: () => goalMs,
    limit: () => limit,
    /** What was sent before that is not judged again. */
    cutMs: () => cut?.atMs ?? never,
    refused: (): void => void refused++,
    calm,
    forget(): void {
      limit = most;
      lasts = false;
      cut = undefined;
      calm(0);
    },
    judge(span: ReturnType<typeof begun>, inFlight: number, longestSilenceMs: number, nowMs: number): void {
      const spanMs = nowMs - span.fromMs;
      const meanMs = span.waitedMs / span.counted;
      const rate = span.acknowledged / spanMs;
      goalMs = Math.max(targetMs, goalMs * raiseKept);
      if (meanMs < goalMs) {
        otherwiseMs = lasts && refused === 0 && meanMs < goalMs / 2 ? otherwiseMs + spanMs : 0;
        lasts &&= otherwiseMs < decidingTargets * goalMs;
        // Waits are short in a lull too.
        const usable = lasts ? Math.max(limit, (raisedBy * goalMs * (rate + span.rateBefore)) / 2) : most;
        limit = Math.min(most, usable, limit * Math.sqrt(goalMs / meanMs));
        cut = undefined;
        calm(inFlight);
        return;
      }
      // A window may begin with a lump and end without: the lower of two; and by what waits how long.
      const capacity = Math.min(rate, span.rateBefore, inFlight / meanMs);
      // A backlog that goes down by itself is never so much above its low: that grows with lumps, and has four deviations.
      const drains = capacity * (goalMs / 4 + longestSilenceMs / 2) + 4 * Math.sqrt(inFlight);
      low = Math.min(low, inFlight);
      const excess = refused + inFlight - low;
      const allWait = span.quickestMs >= goalMs / 2;
      otherwiseMs = !lasts && allWait ? otherwiseMs + spanMs : 0;
      if (lasts ? !allWait || excess < 1 : otherwiseMs < decidingTargets * goalMs || excess < drains) return;
      calm(inFlight);
      // The limit becomes what there is room for, unless the waits show that lowering it does not help.
      const left = limit / (cut?.inFlight ?? limit);
      const change = meanMs / (cut?.waitMs ?? meanMs);
      if (cut && left < tellingShare && change > 1 - inertShare * (1 - left) && change < raisedBy) {
        limit = Math.min(most, cut.inFlight);
        goalMs = raisedBy * meanMs;
        cut = undefined;
        return;
      }
      lasts = true;
      goalMs = targetMs;
      if (!cut) cut = { atMs: nowMs, waitMs: Math.max(meanMs, inFlight / rate), inFlight };
      else if (left < tellingShare) cut = { atMs: nowMs, waitMs: meanMs, inFlight: limit };
      else cut.atMs = nowMs;
      limit = Math.min(most, Math.max(fewestOrders, goalMs * capacity));
    },
  };
}

/** @param targetMs what an order may wait for its acknowledgement; @param most orders under way, whatever happens */
export function createOverload(targetMs: number, most: number) {
  const law = createLaw(targetMs, most);
  let inFlight = 0;
  /** The last acknowledgement, or when an order came and no other was under way. */
  let heardMs = never;
  let longestSilenceMs = 0;
  let stall = { endMs: never, ignoredToMs: never };
  let span = begun(0);
  return {
    /** How many orders may be under way. Asked before each: one that finds no room counts as refused. */
    limit(count: number, nowMs: number): number {
      inFlight = count;
      if (count === 0 && nowMs - heardMs >= targetMs) {
        // Nothing was under way for a while: what is known is of the past.
        law.forget();
        span = begun(nowMs);
      }
      if (count === 0) heardMs = nowMs;
      if (count >= law.limit()) law.refused();
      return law.limit();
    },
    /** An order was refused for another reason than this limit. */
    refused: law.refused,
    acknowledged(waited: number, nowMs: number): void {
      inFlight -= 1;
      const silenceMs = heardMs === never ? 0 : nowMs - heardMs;
      heardMs = nowMs;
      if (silenceMs >= Math.max(targetMs, 2 * longestSilenceMs)) {
        stall = { endMs: nowMs, ignoredToMs: nowMs + silenceMs };
        span = begun(nowMs);
        law.calm(inFlight);
      }
      longestSilenceMs = Math.max(longestSilenceMs, silenceMs);
      const spanMs = nowMs - span.fromMs;
      if (spanMs >= law.goalMs() / 2 && span.counted >= fewestOrders / 4) {
        longestSilenceMs *= silenceKept;
        law.judge(span, inFlight, longestSilenceMs, nowMs);
        span = begun(nowMs, span.acknowledged / spanMs);
      }
      span.acknowledged += 1;
      const sinceMs = nowMs - waited;
      const ofStall = sinceMs < stall.endMs && nowMs < stall.ignoredToMs;
      if (ofStall) law.calm(inFlight);
      if (ofStall || sinceMs < law.cutMs()) return;
      span.counted += 1;
      span.quickestMs = Math.min(span.quickestMs, waited);
      span.waitedMs += Math.min(waited, longestTargets * law.goalMs());
    },
  };
}
