/**
 * When a tier did not do its part, as those outside could see it. Which tier it was is read from the answers: none
 * at all is the balancer's, a refusal the producers', a late acknowledgement the brokers', and no handling while
 * orders waited the consumers', be it for want of their ledger.
 */

import { lateMs } from "./recoveries.ts";
import type { SeenOrder } from "./seen.ts";
import { lengthMs, type Stretch, stretchesOf } from "./stretches.ts";

/** The stretches in which a tier did not do its part, in all, and the longest of them. */
export type Unavailability = {
  tier: string;
  what: string;
  totalMs: number;
  longestMs: number;
  stretches: Stretch[];
};

/** Orders further apart than this do not make one stretch. */
const gapMs = 1_000;
const silenceMs = 1_000;

/** Every tier, also those that were always there. */
export function unavailabilityOf(orders: readonly SeenOrder[]): Unavailability[] {
  const sentWhen = (holds: (order: SeenOrder) => boolean): Stretch[] =>
    stretchesOf(
      orders.filter(holds).map(({ startedMs }) => startedMs),
      gapMs,
    );
  const isLate = ({ startedMs, endedMs, attempts }: SeenOrder) =>
    attempts === 1 && endedMs - startedMs > lateMs;
  return [
    tier(
      "balancer",
      "no answer",
      sentWhen(({ firstStatus }) => firstStatus === 0),
    ),
    tier(
      "producers",
      "answered 500, 502 or 503",
      sentWhen(({ firstStatus }) => [500, 502, 503].includes(firstStatus)),
    ),
    tier(
      "brokers",
      "not acknowledged within 1 s",
      sentWhen((order) => order.firstStatus === 504 || (order.firstStatus === 202 && isLate(order))),
    ),
    tier("consumers", "nothing handled for 1 s while orders waited", silences(orders)),
  ];
}

const tier = (name: string, what: string, stretches: Stretch[]): Unavailability => ({
  tier: name,
  what,
  totalMs: stretches.reduce((sum, one) => sum + lengthMs(one), 0),
  longestMs: stretches.reduce((most, one) => Math.max(most, lengthMs(one)), 0),
  stretches,
});

/** From when an order could have been handled to when one was. */
function silences(orders: readonly SeenOrder[]): Stretch[] {
  const handled = orders
    .flatMap(({ handledAtMs, endedMs }) => (handledAtMs === undefined ? [] : [{ handledAtMs, endedMs }]))
    .sort((a, b) => a.handledAtMs - b.handledAtMs);
  const found: Stretch[] = [];
  let lastMs = Number.NEGATIVE_INFINITY;
  // Whoever was accepted first among those handled after a gap waited through it.
  let waiting = handled.length;
  const earliest = new Array<number>(handled.length);
  for (let least = Number.POSITIVE_INFINITY; waiting-- > 0; earliest[waiting] = least)
    least = Math.min(least, handled[waiting]?.endedMs ?? least);
  for (const [n, { handledAtMs }] of handled.entries()) {
    const fromMs = Math.max(lastMs, earliest[n] ?? handledAtMs);
    if (handledAtMs - fromMs > silenceMs) found.push({ fromMs, toMs: handledAtMs });
    lastMs = handledAtMs;
  }
  return found;
}
