/**
 * Which orders share a limit. All of them, where each group goes to a partition that acknowledges in time. Where the
 * customer decides on the partition, those of one partition: when one is overloaded, orders of the others are taken.
 */
import type { ProducerConfig } from "../config.ts";
import { type Kind, shareOfBatches } from "./admission.ts";
import type { IntakeMetrics } from "./metrics.ts";
import { createOverload } from "./overload.ts";
import type { Partitioner } from "./partitioner.ts";

/** Orders that share a limit. */
export type Lane = ReturnType<typeof createLane>;

/** The limit as OVERLOAD_AFTER_MS has it, never above MAX_IN_FLIGHT_ORDERS. */
function createLane(config: ProducerConfig, metrics: IntakeMetrics) {
  const most = config.MAX_IN_FLIGHT_ORDERS;
  const overload = createOverload(config.OVERLOAD_AFTER_MS, most);
  let limit = most;
  const inFlight = { single: 0, batch: 0 };
  return {
    /** As of the last order that asked. */
    limit: () => limit,
    /**
     * Why one more order is not taken; undefined if it may be.
     * @param bounded why none of any lane is
     */
    obstacle(kind: Kind, nowMs: number, bounded: string | undefined): string | undefined {
      const waiting = inFlight.single + inFlight.batch;
      limit = overload.limit(waiting, nowMs);
      const limited = waiting >= limit || (kind === "batch" && inFlight.batch >= limit * shareOfBatches);
      if (limited && limit < most) {
        if (waiting < limit) overload.refused();
        metrics.shed("overload");
        return `${waiting} orders wait for their acknowledgement; in overload ${Math.floor(limit)} may, half of them of batches`;
      }
      if (bounded === undefined) return undefined;
      if (waiting < limit) overload.refused();
      metrics.shed("bound");
      return bounded;
    },
    taken(kind: Kind): void {
      inFlight[kind] += 1;
    },
    /** @param waitedMs for the acknowledgement; undefined if there was none */
    done(kind: Kind, nowMs: number, waitedMs: number | undefined): void {
      inFlight[kind] -= 1;
      if (waitedMs !== undefined) overload.acknowledged(waitedMs, nowMs);
    },
  };
}

/** A lane for all, or with PARTITIONER=customer one for each partition. */
export function createLanes(config: ProducerConfig, metrics: IntakeMetrics) {
  const lanes = new Map<number, Lane>();

  function ofPartition(partition: number): Lane {
    let lane = lanes.get(partition);
    if (lane === undefined) {
      lane = createLane(config, metrics);
      lanes.set(partition, lane);
    }
    return lane;
  }

  return {
    /** Of a customer's orders; undefined where the customer matters and is not known yet. */
    of(customer: string | undefined, partitioner: Partitioner | undefined): Lane | undefined {
      if (config.PARTITIONER === "batch") return ofPartition(0);
      return customer === undefined ? undefined : ofPartition(partitioner?.forGroup(0)(customer) ?? 0);
    },
    lowestLimit: () =>
      Math.min(config.MAX_IN_FLIGHT_ORDERS, ...[...lanes.values()].map(({ limit }) => limit())),
  };
}
