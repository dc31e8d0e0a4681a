// When the system is whole: every container well, every replica in sync, every consumer in a group at rest, and every
// broker of that opinion. A fault is met by a whole system, or what is measured is the last fault's.
import { type Container, stateOf, wellStates } from "../../infra/topology.ts";
import { listens } from "../../kit/ports.ts";
import { comesTrue } from "../../kit/until.ts";
import type { Cluster } from "../system/cluster.ts";
import { type System, tierOf } from "../system/system.ts";

const pollMs = 1_000;
/** So many times in a row nothing is missing: once may be between two changes. */
const wholePolls = 2;

/** The system was not whole in time: no reason to give the run up, but its result. */
export class NotWhole extends Error {
  override name = "NotWhole";
}

/** What is missing, in words; nothing: the system is whole. */
export async function missing(system: System): Promise<string[]> {
  const containers = await system.containers();
  const unwell = containers.filter((one) => one.state !== "running" || !wellStates.has(stateOf(one)));
  const states = unwell.map((one) => `${one.name}: ${stateOf(one)}`);
  if (containers.length === 0) return ["nothing runs"];
  return unwell.some((one) => tierOf(one) === "broker")
    ? states
    : [...states, ...(await unpublished(containers)), ...(await ofKafka(system, containers))];
}

/**
 * The balancer's ports that nobody takes connections on though it runs: Docker's proxy, through which they are published,
 * ends when it has no descriptor for one more connection, and nothing but a restart of the container brings it back.
 */
export async function unpublished(containers: readonly Container[]): Promise<string[]> {
  const found: string[] = [];
  for (const one of containers.filter((one) => tierOf(one) === "balancer" && stateOf(one) === "healthy"))
    for (const port of one.ports)
      if (port > 0 && !(await listens(port)))
        found.push(
          `Docker does not publish port ${port} of ${one.name} any more: docker restart ${one.name}`,
        );
  return found;
}

/** Waits until nothing is missing; what still is when the time is over, it gives back. */
export async function settle(system: System, limitMs: number, stop?: AbortSignal): Promise<string[]> {
  let left: string[] = [];
  let whole = 0;
  await comesTrue(
    async () => {
      stop?.throwIfAborted();
      left = await missing(system);
      whole = left.length === 0 ? whole + 1 : 0;
      return whole === wholePolls;
    },
    limitMs,
    pollMs,
  );
  return left;
}

async function ofKafka(system: System, containers: Container[]): Promise<string[]> {
  const consumers = containers.filter((one) => tierOf(one) === "consumer").length;
  try {
    return missingIn(await system.views(), consumers);
  } catch (error) {
    return [(error as Error).message];
  }
}

/** What is missing in the cluster, in words, by what each of its brokers sees. */
export function missingIn(views: readonly Cluster[], consumers: number): string[] {
  const each = views.flatMap(({ controller, partitions, groupState, members }) => {
    const behind = partitions.filter(({ replicas, inSync }) => inSync.length < replicas.length);
    const leaderless = partitions.filter(({ leader }) => leader < 0);
    return [
      ...(controller < 0 ? ["no controller"] : []),
      ...(partitions.length === 0 ? ["no partitions"] : []),
      ...(behind.length > 0 ? [`${behind.length} partitions with replicas that are not in sync`] : []),
      ...(leaderless.length > 0 ? [`${leaderless.length} partitions without a leader`] : []),
      ...(groupState === "Stable" && members === consumers
        ? []
        : [`group: ${groupState}, ${members} members`]),
    ];
  });
  const agreed = new Set(views.map(ledBy)).size === 1;
  return [...new Set(each), ...(agreed ? [] : ["the brokers do not agree on who leads"])];
}

/** Who is the controller, coordinates and leads each partition, as one text to compare. */
function ledBy({ controller, coordinator, partitions }: Cluster): string {
  const leaders = partitions.map(({ topic, partition, leader }) => `${topic}/${partition}:${leader}`);
  return [controller, coordinator, ...leaders.toSorted()].join(" ");
}
