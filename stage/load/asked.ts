/** What a page asks of the load by hand, checked whole before anything is turned. */

import { mixes } from "../../page/state.ts";
import { Refused } from "../refused.ts";
import { mostPerS } from "./by-hand.ts";

/** The members of a change of the load. @throws Refused */
export function loadOf({ ratePerS, paused, mix }: { ratePerS?: number; paused?: boolean; mix?: string }) {
  const known = mixes.find((one) => one === mix);
  if (mix !== undefined && !known) throw new Refused(`there is no mix ${mix}`);
  return {
    ...(ratePerS !== undefined && { ratePerS: bounded(ratePerS, 0, mostPerS) }),
    ...(paused !== undefined && { paused: paused === true }),
    ...(known && { mix: known }),
  };
}

/** A whole number within its bounds. @throws Refused */
export function bounded(value: number, least: number, most: number): number {
  if (!Number.isInteger(value) || value < least || value > most)
    throw new Refused(`a whole number from ${least} to ${most}`);
  return value;
}
