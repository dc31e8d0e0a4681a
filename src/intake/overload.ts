/**
 * Tells too much work from a stall. Where more comes in than Kafka acknowledges, orders are refused best while few wait:
 * more would only make all of them wait longer. While a broker is given up, by contrast, they are best held: soon they
 * go through. As CoDel (RFC 8289) it looks at the quickest of a while, not at the average; and it calls overload only
 * what goes on although about as many as ever are acknowledged, and lets ever more of them wait.
 *
 * Not covered: with `PARTITIONER=customer`, an overload of some partitions beside others that are quick. And what is
 * usual a process learns from the first orders that are acknowledged promptly: one that starts in a stall takes that for it.
 */
export type Overload = {
  /** An order was acknowledged, having waited so long. */
  acknowledged(waitedMs: number, nowMs: number): void;
  /** How many orders may be under way. @param inFlight how many are */
  limit(inFlight: number, nowMs: number): number;
};

/** No fewer are let in, so that there is always something by which to see that it is over. */
const fewest = 100;
/** By so much more must wait than when it began. */
const growth = 1.25;
/** How fast it is forgotten how many are usual: half of it within 14 windows. */
const decay = 0.95;
/** So many windows in which little or nothing was acknowledged change nothing; one more, and all are let in. */
const mostStalls = 4;
const none = Number.POSITIVE_INFINITY;

/**
 * @param targetMs when in two windows of half this time no order was acknowledged that had waited less, and ever more
 *   wait, no more are let in than are acknowledged within it, until one has waited less than half of it
 */
export function createOverload(targetMs: number): Overload {
  const windowMs = targetMs / 2;
  let fromMs = 0;
  let count = 0;
  let quickestMs = none;
  /** Most acknowledgements of a window in which some were prompt, lately. */
  let usual = none;
  let stalls = 0;
  /** How many waited when all began to wait too long. */
  let slowFrom = none;
  let limit = none;
  let waiting = 0;

  function calm(): void {
    slowFrom = none;
    limit = none;
  }

  /** Judges the window that is over. */
  function judge(elapsedMs: number): void {
    usual *= decay;
    if (quickestMs < (limit < none ? targetMs / 2 : targetMs)) {
      usual = usual === none ? count : Math.max(usual, count);
      stalls = 0;
      calm();
    } else if (count === 0 || count < usual / 2) {
      stalls += 1;
      if (stalls > mostStalls || elapsedMs >= 2 * targetMs) calm();
    } else {
      stalls = 0;
      slowFrom = Math.min(slowFrom, waiting);
      if (limit < none || waiting > growth * slowFrom)
        limit = Math.max(fewest, (count * targetMs) / elapsedMs);
    }
  }

  function pass(nowMs: number): void {
    const elapsedMs = nowMs - fromMs;
    if (elapsedMs < windowMs) return;
    judge(elapsedMs);
    fromMs = nowMs;
    count = 0;
    quickestMs = none;
  }

  return {
    acknowledged(waitedMs, nowMs) {
      pass(nowMs);
      count += 1;
      quickestMs = Math.min(quickestMs, waitedMs);
    },
    limit(inFlight, nowMs) {
      waiting = inFlight;
      pass(nowMs);
      return limit;
    },
  };
}
