/**
 * What may be under way at once, by what it costs: bytes are reserved before a body is read, orders when they are known.
 * Batches may have half of everything, so that no single order waits for one or is refused because of one.
 *
 * In overload a lane has a lower limit of its own. All orders share one lane where each group goes to a partition that
 * acknowledges in time; where the customer decides on the partition, those of one partition: when one is overloaded,
 * orders of the others are taken.
 */
import type { ProducerConfig } from "../config.ts";
import type { IntakeMetrics } from "./metrics.ts";
import { createOverload, type Overload } from "./overload.ts";

/** What a request brings: one order, or many. */
export type Kind = "single" | "batch";
type Counts = Record<Kind, number>;

/** Orders that share a limit, which is as of the last that asked. */
export type Lane = { orders: Counts; limit: number; overload: Overload };

const shareOfBatches = 1 / 2;
const sum = ({ single, batch }: Counts): number => single + batch;
const roomFor = (kind: Kind, counts: Counts, most: number): number =>
  kind === "single" ? most - sum(counts) : Math.min(most - sum(counts), most * shareOfBatches - counts.batch);

/** By MAX_IN_FLIGHT_ORDERS, MAX_IN_FLIGHT_BYTES (of bodies that are read and of orders) and OVERLOAD_AFTER_MS. */
export function createAdmission(config: ProducerConfig, metrics: IntakeMetrics) {
  const { MAX_IN_FLIGHT_ORDERS: mostOrders, MAX_IN_FLIGHT_BYTES: mostBytes } = config;
  const orders: Counts = { single: 0, batch: 0 };
  const bytes: Counts = { single: 0, batch: 0 };
  const lanes = new Map<number, Lane>();

  function full(kind: Kind, moreBytes: number): string | undefined {
    if (roomFor(kind, orders, mostOrders) <= 0)
      return `${sum(orders)} orders wait for their acknowledgement; ${mostOrders} may, half of them of batches`;
    if (roomFor(kind, bytes, mostBytes) < moreBytes)
      return "as many bytes as may be wait for their acknowledgement";
    return undefined;
  }

  const counting = (one: 1 | -1) => (kind: Kind, size: number, lane?: Lane) => {
    bytes[kind] += one * size;
    if (!lane) return;
    orders[kind] += one;
    lane.orders[kind] += one;
  };

  return {
    bytes: () => sum(bytes),
    lowestLimit: () => Math.min(mostOrders, ...[...lanes.values()].map(({ limit }) => limit)),

    /** The lane by its number. */
    lane(number: number): Lane {
      let lane = lanes.get(number);
      if (!lane) {
        const overload = createOverload(config.OVERLOAD_AFTER_MS, mostOrders);
        lane = { orders: { single: 0, batch: 0 }, limit: mostOrders, overload };
        lanes.set(number, lane);
      }
      return lane;
    },

    /** Why no more is taken, in words; undefined when more is. @param lane none: it is not known yet */
    obstacle(kind: Kind, moreBytes: number, lane: Lane | undefined): string | undefined {
      const bound = full(kind, moreBytes);
      const waiting = lane ? sum(lane.orders) : 0;
      if (lane) lane.limit = lane.overload.limit(waiting, performance.now());
      const overloaded = lane && lane.limit < mostOrders && roomFor(kind, lane.orders, lane.limit) <= 0;
      if (bound === undefined && !overloaded) return undefined;
      if (lane && waiting < lane.limit) lane.overload.refused();
      metrics.shed(overloaded ? "overload" : "bound");
      if (!overloaded) return bound;
      return `${waiting} orders wait for their acknowledgement; in overload ${Math.floor(lane.limit)} may, half of them of batches`;
    },

    /** An order of a lane, or a body that is about to be read. Every call has its `leave`. */
    enter: counting(1),
    leave: counting(-1),
  };
}
