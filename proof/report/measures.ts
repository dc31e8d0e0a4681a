/** What a run's history says in figures: pure, from the client's record, the ledger's times and the events. */
import { ascending, percentile } from "../../kit/percentile.ts";
import { type History, orderIdOf } from "../history/history.ts";
import type { RunEvent } from "./events.ts";
import { type Recovery, recoveriesOf } from "./recoveries.ts";
import type { SeenOrder } from "./seen.ts";
import { type Unavailability, unavailabilityOf } from "./unavailability.ts";

export type { Recovery, Unavailability };

/** A second of the run, by when orders were sent. Latencies in ms, over all tries. */
export type Second = {
  atMs: number;
  sent: number;
  accepted: number;
  firstTryFailed: number;
  p50Ms: number;
  p99Ms: number;
  /** Orders handled in it, whenever they were sent. */
  handled: number;
  /** Accepted and not handled, at this second's end. */
  unseen: number;
};

export type Measures = {
  /** From the first order sent to the last one answered or handled, or the last event. */
  startMs: number;
  endMs: number;
  seconds: Second[];
  recoveries: Recovery[];
  unavailability: Unavailability[];
};

const secondMs = 1_000;

/** Measures a finished run. An order whose answer the client did not live to hear has failed. */
export function measuresOf({ client, ledger }: History, events: readonly RunEvent[]): Measures {
  const handledAtMs = new Map(ledger.map((row) => [row.id, row.handledAtMs]));
  const orders = client.map(
    (answer): SeenOrder => ({ ...answer, handledAtMs: handledAtMs.get(orderIdOf(answer)) }),
  );
  // What came before the first order is of no interest to anybody who orders.
  const beginnings =
    orders.length > 0 ? orders.map((order) => order.startedMs) : events.map(({ atMs }) => atMs);
  const startMs = beginnings.reduce((least, atMs) => Math.min(least, atMs), beginnings[0] ?? 0);
  const ends = orders.map(({ endedMs, handledAtMs: atMs }) => Math.max(endedMs, atMs ?? endedMs));
  const endMs = [...events.map(({ atMs }) => atMs), ...ends].reduce(
    (most, atMs) => Math.max(most, atMs),
    startMs,
  );
  return {
    startMs,
    endMs,
    seconds: secondsOf(orders, startMs, endMs),
    recoveries: recoveriesOf(orders, events, endMs),
    unavailability: unavailabilityOf(orders),
  };
}

function secondsOf(orders: readonly SeenOrder[], startMs: number, endMs: number): Second[] {
  const count = Math.floor((endMs - startMs) / secondMs) + 1;
  const slots = Array.from({ length: count }, () => ({
    sent: [] as SeenOrder[],
    handled: 0,
    seen: 0,
    unseen: 0,
  }));
  const slot = (atMs: number) => slots[Math.floor((atMs - startMs) / secondMs)] as (typeof slots)[number];
  for (const order of orders) {
    const { startedMs, endedMs, fate, handledAtMs } = order;
    slot(startedMs).sent.push(order);
    if (handledAtMs !== undefined) slot(handledAtMs).handled += 1;
    if (fate !== "accepted") continue;
    slot(endedMs).unseen += 1;
    // Some are handled before their client hears that they are accepted.
    if (handledAtMs !== undefined) slot(Math.max(endedMs, handledAtMs)).seen += 1;
  }
  let unseen = 0;
  return slots.map((one, n) => {
    unseen += one.unseen - one.seen;
    const latencies = ascending(one.sent.map(({ startedMs, endedMs }) => endedMs - startedMs));
    return {
      atMs: startMs + n * secondMs,
      sent: one.sent.length,
      accepted: one.sent.filter(({ fate }) => fate === "accepted").length,
      firstTryFailed: one.sent.filter(({ firstStatus }) => firstStatus !== 202).length,
      p50Ms: percentile(latencies, 50),
      p99Ms: percentile(latencies, 99),
      handled: one.handled,
      unseen,
    };
  });
}
