/**
 * How a container is, by its own check. Docker looks only every half minute, since each look costs it 60 ms of CPU: who has
 * just started, or was unwell then, is asked here by the same check, so that nobody waits for Docker's next look.
 */
import { capture, must } from "../kit/capture.ts";
import type { Container } from "./topology.ts";

const callLimitMs = 10_000;
/** Of one container; in between it is as it was. */
const everyMs = 3_000;

export function createHealth() {
  const asked = new Map<string, { atMs: number; isWell: Promise<boolean> }>();
  const checks = new Map<string, Promise<string[]>>();

  async function ask(id: string): Promise<boolean> {
    const check = checks.get(id) ?? checkOf(id);
    checks.set(id, check);
    const { code } = await capture(["docker", "exec", id, ...(await check)], { limitMs: callLimitMs });
    return code === 0;
  }

  return async (one: Container): Promise<Container> => {
    if (one.state !== "running" || one.health === "" || one.health === "healthy") return one;
    const last = asked.get(one.id);
    const now = performance.now();
    // Of one that is gone by now nothing can be asked.
    const isWell = () => ask(one.id).catch(() => false);
    const current = last && now - last.atMs < everyMs ? last : { atMs: now, isWell: isWell() };
    asked.set(one.id, current);
    return (await current.isWell) ? { ...one, health: "healthy" } : one;
  };
}

/** The check of its image or its service, as Docker runs it. Source: Docker Engine API, ContainerInspect, Healthcheck.Test. */
async function checkOf(id: string): Promise<string[]> {
  const format = "{{json .Config.Healthcheck.Test}}";
  const told = await must(["docker", "inspect", "--format", format, id], { limitMs: callLimitMs });
  const [kind, ...argv] = JSON.parse(told) as string[];
  if (kind !== "CMD") throw new Error(`a check of the kind ${kind} can't be run here`);
  return argv;
}
