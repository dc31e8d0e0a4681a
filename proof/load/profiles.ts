/**
 * The profiles of load: how the rate goes over time, and what must hold. Always at an arrival rate, never by users
 * who wait for an answer before they order again: those would send less just when the system is slow.
 */
import { ordersPerPieces, ordersPerRequest, usualBatchEvery } from "../client/mix.ts";
import { orderLimitMs } from "../client/policy.ts";

export const profiles = ["smoke", "steady", "ramp", "spike", "soak"] as const;
export type Profile = (typeof profiles)[number];

/**
 * What each profile is for, and its rate (the highest, where it varies) and duration unless told otherwise: a number of
 * orders per second, or a share of what the machine holds.
 */
export const profileDefaults: Record<
  Profile,
  { what: string; durationSeconds: number } & ({ rate: number } | { share: number })
> = {
  smoke: { what: "whether it works at all", rate: 10, durationSeconds: 10 },
  steady: { what: "a constant rate", share: 1 / 2, durationSeconds: 60 },
  ramp: { what: "ten steps up to the rate, to find the knee", rate: 3_000, durationSeconds: 150 },
  spike: {
    what: "a tenth of the rate, all of it for a fifth of the time, a tenth again",
    share: 1,
    durationSeconds: 60,
  },
  soak: { what: "a constant rate for long", share: 1 / 2, durationSeconds: 1_800 },
};

/** The share of the orders whose bodies come in chunks or slowly: in-pieces.ts sends those, k6 all others. */
const inPiecesShare = 0.05;

/**
 * One user, and so one connection, for each request under way: ready for a stall of some seconds, because k6 drops what
 * it has no user for. No more than that, because each user costs, and because the proxy through which Docker
 * publishes a port on 127.0.0.1 takes about 3,300 connections (six of its 20,000 descriptors each) and ends at one more.
 * With what comes in pieces it stays below 3,000 connections of one address.
 */
const stallSeconds = 8;
const usersAtOnce = 2_000;
export const mostUsers = 2_700;
/** Of an overload, which comes on top of a load: that one has so many less. */
export const overloadUsers = 1_300;
/** Beyond the client's own limit for an order, so that k6 interrupts none. */
const gracefulStop = `${orderLimitMs / 1_000 + 10}s`;

/** One stretch of a run at one rate. */
export type RateStep = { rate: number; seconds: number };

/** How the rate goes over time. */
export function stepsOf(profile: Profile, rate: number, durationSeconds: number): RateStep[] {
  const at = (share: number, part: number): RateStep => ({
    rate: Math.max(1, Math.round(rate * share)),
    seconds: durationSeconds * part,
  });
  if (profile === "ramp") return Array.from({ length: 10 }, (_, n) => at((n + 1) / 10, 0.1));
  if (profile === "spike") return [at(0.1, 0.4), at(1, 0.2), at(0.1, 0.4)];
  return [at(1, 1)];
}

const everyOrder = {
  orders_accepted: ["rate==1"],
  tries_failed: ["rate==0"],
  dropped_iterations: ["count==0"],
};

/** A ramp is meant to end beyond the knee: nothing must hold of its figures, and of what was accepted all (main.ts). */
const thresholds: Record<Profile, Record<string, string[]>> = {
  smoke: { ...everyOrder, http_req_duration: ["p(99)<1000"] },
  steady: { ...everyOrder, http_req_duration: ["p(99)<3000"] },
  ramp: {},
  spike: {
    orders_accepted: ["rate==1"],
    dropped_iterations: ["count==0"],
    http_req_duration: ["p(99)<5000"],
  },
  soak: { ...everyOrder, http_req_duration: ["p(99)<1000"] },
};

/**
 * A profile as k6's own options.
 * @param rate in orders; k6 counts requests, of which there are fewer
 * @param users at most, where that is to be less than there may be
 */
export function k6Options(
  profile: Profile,
  rate: number,
  durationSeconds: number,
  { users = mostUsers, batchEvery = usualBatchEvery } = {},
) {
  const steps = stepsOf(profile, rate, durationSeconds);
  const requests = (orders: number) => ((1 - inPiecesShare) * orders) / ordersPerRequest(batchEvery);
  const most = Math.min(users, Math.ceil(requests(rate) * (orderLimitMs / 1_000)));
  const common = {
    preAllocatedVUs: Math.min(usersAtOnce, most, Math.ceil(requests(rate) * stallSeconds)),
    maxVUs: most,
    gracefulStop,
    timeUnit: `${timeUnitSeconds}s`,
  };
  const target = (orders: number) => Math.round(requests(orders) * timeUnitSeconds);
  const seconds = (value: number) => `${Math.round(value * 1_000)}ms`;
  const [first = { rate }] = steps;
  const orders =
    steps.length === 1
      ? {
          executor: "constant-arrival-rate",
          rate: target(rate),
          duration: seconds(durationSeconds),
          ...common,
        }
      : {
          executor: "ramping-arrival-rate",
          startRate: target(first.rate),
          // To a step in no time, and then along it.
          stages: steps.flatMap((step) => [
            { target: target(step.rate), duration: "0s" },
            { target: target(step.rate), duration: seconds(step.seconds) },
          ]),
          ...common,
        };
  return { scenarios: { orders }, thresholds: thresholds[profile] };
}

/** k6 takes whole numbers only: of requests in so long. */
const timeUnitSeconds = 100;

/** How many requests in pieces are due when a profile has run for so long. */
export function inPiecesDue(steps: readonly RateStep[], elapsedSeconds: number): number {
  let left = elapsedSeconds;
  let orders = 0;
  for (const { rate, seconds } of steps) {
    orders += rate * Math.min(seconds, Math.max(0, left));
    left -= seconds;
  }
  return (orders * inPiecesShare) / ordersPerPieces;
}
