/**
 * Whether the machine's clock was set while a load ran, or the machine slept. Deadlines, latencies and the rounds that orders
 * belong to are told by that clock: where it jumps they say nothing of the system.
 */

const lookEveryMs = 500;
/** What the two clocks may differ between two looks: a process that waits for a processor between them. */
const jitterMs = 250;

/** From now on, until it is disposed of. @param wall, @param steady ms of the clock, and of one that nobody can set */
export function watchClock(wall = Date.now, steady = () => performance.now()) {
  const ahead = () => wall() - steady();
  let last = ahead();
  let movedMs = 0;
  const look = () => {
    const now = ahead();
    // A slow drift is none: it is below this at each look.
    if (Math.abs(now - last) > jitterMs) movedMs += Math.abs(now - last);
    last = now;
  };
  const timer = setInterval(look, lookEveryMs);
  return {
    /** By how much in all, forwards and backwards. */
    movedMs(): number {
      look();
      return Math.round(movedMs);
    },
    look,
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

/** Why a run under such a clock proves nothing; undefined where it was left alone. */
export const clockMoved = (movedMs: number): string | undefined =>
  movedMs === 0
    ? undefined
    : `this machine's clock was set by ${movedMs} ms meanwhile: times of the record are not to be trusted`;
