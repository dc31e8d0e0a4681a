// Every fault by its name; and the way back from all of them, whoever injected what.
import type { System } from "../system/system.ts";
import { killBatches } from "./clients/kill-batches.ts";
import { overload } from "./clients/overload.ts";
import { slowBodies } from "./clients/slow-bodies.ts";
import { diskFull } from "./disk-full.ts";
import type { Fault } from "./fault.ts";
import { commitKill, effectAway, poison } from "./in-ledger.ts";
import { kill } from "./kill.ts";
import { none } from "./none.ts";
import { partition } from "./partition.ts";
import { pause } from "./pause.ts";
import { reload } from "./reload.ts";
import { restart } from "./restart.ts";
import { rotateApiKeys, rotateEdgeCertificate, rotateIssuer } from "./rotations/edge.ts";
import { rotateKafkaUsers, rotateLedgerUser } from "./rotations/users.ts";
import { slow } from "./slow.ts";
import { stop } from "./stop.ts";
import { topicAnew } from "./topic-anew.ts";
import { truncate } from "./truncate.ts";

// In the order in which they are healed: what is frozen wakes first, what lies down starts last.
const all = {
  none,
  pause,
  partition,
  slow,
  "disk-full": diskFull,
  "slow-bodies": slowBodies,
  overload,
  reload,
  restart,
  "rotate-kafka-users": rotateKafkaUsers,
  "rotate-ledger-user": rotateLedgerUser,
  "rotate-edge-certificate": rotateEdgeCertificate,
  "rotate-api-keys": rotateApiKeys,
  "rotate-issuer": rotateIssuer,
  kill,
  "kill-batches": killBatches,
  truncate,
  "topic-anew": topicAnew,
  stop,
  // Last: they need a ledger that runs.
  "commit-kill": commitKill,
  "effect-away": effectAway,
  poison,
};

export type FaultName = keyof typeof all;
export const faults: Readonly<Record<FaultName, Fault>> = all;
export const faultNames = Object.keys(all) as FaultName[];

/**
 * Heals every fault wherever there is one, or only those that are named. Each gets its try; what could not be healed is
 * thrown in the end.
 */
export async function healAll(system: System, names: Iterable<FaultName> = faultNames): Promise<void> {
  const failures: string[] = [];
  const wanted = new Set(names);
  for (const name of faultNames.filter((name) => wanted.has(name)))
    try {
      await faults[name].heal(system, await system.containers());
    } catch (error) {
      failures.push(`${name}: ${(error as Error).message}`);
    }
  if (failures.length > 0) throw new Error(`not healed:\n${failures.join("\n")}`);
}
