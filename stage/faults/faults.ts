/**
 * The faults that the page offers, each the very one of the proof. Not by its registry, which has faults that need
 * node-rdkafka built: the stage runs beside `make up`, which needs Docker alone.
 */
import type { Container } from "../../infra/topology.ts";
import { kill } from "../../proof/faults/kill.ts";
import { partition } from "../../proof/faults/partition.ts";
import { pause } from "../../proof/faults/pause.ts";
import { reload } from "../../proof/faults/reload.ts";
import { restart } from "../../proof/faults/restart.ts";
import { slow } from "../../proof/faults/slow.ts";
import { stop } from "../../proof/faults/stop.ts";
import type { System } from "../../proof/system/system.ts";

/** In the order in which they are healed: what is frozen wakes first, what lies down starts last. */
export const faults = { pause, partition, slow, reload, restart, kill, stop } as const;
export type FaultName = keyof typeof faults;

/** Heals all of `names`, whoever struck them. Each gets its try. @throws Error with all that failed */
export async function healThese(
  system: System,
  containers: Container[],
  names: ReadonlySet<string>,
): Promise<void> {
  const failures: string[] = [];
  for (const [name, fault] of Object.entries(faults))
    try {
      if (names.has(name)) await fault.heal(system, await system.again(containers));
    } catch (error) {
      failures.push((error as Error).message);
    }
  if (failures.length > 0) throw new Error(`not healed: ${failures.join("; ")}`);
}
