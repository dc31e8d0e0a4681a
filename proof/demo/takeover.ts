// Whoever dies, by our hand or by another's: tells who took over and how long that took, then brings it back.
import { comesTrue } from "../../kit/until.ts";
import { aborted } from "./aborted.ts";
import type { DemoClient } from "./client.ts";
import type { Monitor } from "./monitor.ts";
import type { Instance, Pipeline } from "./pipeline.ts";
import { lastWords } from "./processes.ts";

const takeoverLimitMs = 60_000;
const returnLimitMs = 60_000;
const pollMs = 50;
/** For a person to see that it is gone. */
const absenceMs = 2_000;

export interface TakeoverCircumstances {
  pipeline: Pipeline;
  monitor: Monitor;
  client: DemoClient;
  tell: (event: string) => void;
  /** The dead whom nobody has replaced so far. */
  unreplaced: Set<Instance>;
  /** No more orders are sent: nobody is brought back any more. */
  over: AbortSignal;
  /** The processes are being ended: a death is no event any more. */
  ending: AbortSignal;
}

/** Watches an instance from death to return, again and again; resolves when it has ended for good. */
export async function watch(instance: Instance, where: TakeoverCircumstances): Promise<void> {
  const { pipeline, monitor, tell, unreplaced, over, ending } = where;
  for (;;) {
    const how = await Promise.race([instance.child.ended, aborted(ending)]);
    if (how === undefined || ending.aborted) return;
    const sinceDeath = stopwatch();
    const owned = monitor.status(instance)?.partitions ?? [];
    monitor.forget(instance);
    unreplaced.add(instance);
    tell(deathOf(instance, how, owned));
    const outcome = await (instance.tier === "consumer"
      ? consumerReplaced(owned, where)
      : producerReplaced(instance, where));
    if (ending.aborted) return;
    tell(`${outcome}, after ${sinceDeath()}`);
    unreplaced.delete(instance);

    await comesTrue(() => over.aborted, absenceMs, pollMs);
    if (over.aborted) return;
    const sinceStart = stopwatch();
    pipeline.restart(instance);
    tell(`${instance.name} is started again`);
    const back = () => isBack(instance, monitor);
    await comesTrue(() => back() || !instance.child.running || over.aborted, returnLimitMs, pollMs);
    if (back())
      tell(`${instance.name} is back after ${sinceStart()}${share(partitionsOf(instance, monitor))}`);
  }
}

/** Whether the balancer sends it requests and, for a consumer, the group has given it its share. */
export function isBack(instance: Instance, monitor: Monitor): boolean {
  if (!monitor.status(instance)?.inService) return false;
  return instance.tier === "producer" || partitionsOf(instance, monitor).length > 0;
}

function deathOf({ name, child }: Instance, how: string, owned: number[]): string {
  if (how !== "SIGKILL") return `${name} ended with ${how}:\n${lastWords(child)}`;
  return `${name} is killed with -9${owned.length > 0 ? `; it owned partitions ${owned.join(" ")}` : ""}`;
}

/** Waits until others own the partitions of a dead consumer. */
async function consumerReplaced(
  lost: number[],
  { pipeline, monitor, ending }: TakeoverCircumstances,
): Promise<string> {
  const heirs = () =>
    pipeline.instances
      .filter(({ tier }) => tier === "consumer")
      .map((heir) => ({
        name: heir.name,
        partitions: partitionsOf(heir, monitor).filter((partition) => lost.includes(partition)),
      }))
      .filter(({ partitions }) => partitions.length > 0);
  const count = () => heirs().flatMap(({ partitions }) => partitions).length;
  await comesTrue(() => ending.aborted || count() >= lost.length, takeoverLimitMs, pollMs);
  if (count() < lost.length) return `nobody owns some of the partitions ${lost.join(" ")}`;
  const shares = heirs().map(({ name, partitions }) => `${name} took over ${partitions.join(" ")}`);
  return shares.join(", ") || "there was nothing to take over";
}

/** Waits until the balancer sends nothing to a dead producer any more. */
async function producerReplaced(dead: Instance, where: TakeoverCircumstances): Promise<string> {
  const { monitor, client, ending } = where;
  const before = client.counts().failures;
  await comesTrue(() => ending.aborted || !monitor.inService(dead), takeoverLimitMs, pollMs);
  if (monitor.inService(dead)) return `the balancer still counts on ${dead.name}`;
  const failures = client.counts().failures - before;
  return `others take ${dead.name}'s orders, ${failures} answers failed`;
}

const partitionsOf = (instance: Instance, monitor: Monitor): number[] =>
  monitor.status(instance)?.partitions ?? [];

const share = (partitions: number[]): string =>
  partitions.length > 0 ? ` and owns partitions ${partitions.join(" ")}` : "";

function stopwatch(): () => string {
  const startMs = performance.now();
  return () => `${((performance.now() - startMs) / 1_000).toFixed(1)} s`;
}
