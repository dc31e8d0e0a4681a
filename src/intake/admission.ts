/**
 * What may be under way at once: bytes are reserved before a body is read, orders when they are known. Batches may have half
 * of everything, so that no single order waits for one. In overload a lane has a lower limit; where the customer decides on
 * the partition each partition has a lane, so that orders of the others are taken, else all share one.
 */
import { OutcomeError } from "../outcomes.ts";
import type { IntakeParts } from "./metrics.ts";
import { createOverload, type Overload } from "./overload.ts";

export type Kind = "single" | "batch";
type Counts = Record<Kind, number>;
const none = (): Counts => ({ single: 0, batch: 0 });

/** Orders that share a limit, which is as of the last that asked. */
export type Lane = { orders: Counts; limit: number; overload: Overload };

const shareOfBatches = 1 / 2;
const sum = ({ single, batch }: Counts): number => single + batch;
const roomFor = (kind: Kind, counts: Counts, most: number): number =>
  kind === "single" ? most - sum(counts) : Math.min(most - sum(counts), most * shareOfBatches - counts.batch);

/** By MAX_IN_FLIGHT_ORDERS, MAX_IN_FLIGHT_BYTES (of bodies that are read and of orders) and OVERLOAD_AFTER_MS. */
export function createAdmission({ config, metrics }: IntakeParts) {
  const { MAX_IN_FLIGHT_ORDERS: mostOrders, MAX_IN_FLIGHT_BYTES: mostBytes } = config;
  const { OVERLOAD_AFTER_MS: targetMs } = config;
  const [orders, bytes] = [none(), none()];
  const lanes: Lane[] = [];

  const inWords = (waiting: number, most: string) =>
    `${waiting} orders wait for their acknowledgement; ${most} may, half of them of batches`;
  const counting = (one: 1 | -1) => (kind: Kind, size: number, lane?: Lane) => {
    bytes[kind] += one * size;
    if (!lane) return;
    orders[kind] += one;
    lane.orders[kind] += one;
  };
  return {
    orders: () => sum(orders),
    bytes: () => sum(bytes),
    lowestLimit: () => lanes.reduce((least, { limit }) => Math.min(least, limit), mostOrders),
    lane(number: number): Lane {
      lanes[number] ??= { orders: none(), limit: mostOrders, overload: createOverload(targetMs, mostOrders) };
      return lanes[number];
    },
    /** Why no more is taken; undefined when more is. @param lane none: it is not known yet */
    obstacle(kind: Kind, moreBytes: number, lane: Lane | undefined): OutcomeError | undefined {
      let detail: string | undefined;
      if (roomFor(kind, bytes, mostBytes) < moreBytes)
        detail = "as many bytes as may be wait for their acknowledgement";
      if (roomFor(kind, orders, mostOrders) <= 0) detail = inWords(sum(orders), `${mostOrders}`);
      const waiting = lane ? sum(lane.orders) : 0;
      if (lane) lane.limit = lane.overload.limit(waiting, performance.now());
      const overloaded = lane && lane.limit < mostOrders && roomFor(kind, lane.orders, lane.limit) <= 0;
      if (overloaded) detail = inWords(waiting, `in overload ${Math.floor(lane.limit)}`);
      if (detail === undefined) return undefined;
      if (lane && waiting < lane.limit) lane.overload.refused();
      metrics.shed.inc({ cause: overloaded ? "overload" : "bound" });
      return new OutcomeError("overloaded", detail);
    },
    /** An order of a lane, or a body that is about to be read. Every call has its `leave`. */
    enter: counting(1),
    leave: counting(-1),
  };
}
