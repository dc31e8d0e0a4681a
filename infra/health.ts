/**
 * How a container is, by its own check. Docker looks only every half minute, since each look costs it 60 ms of CPU: who has
 * just started, or was unwell then, is asked here by the same check, so that nobody waits for Docker's next look. Nor for a
 * check that hangs: the others are told of meanwhile.
 */
import { capture, must } from "../kit/capture.ts";

const callLimitMs = 10_000;
/** Of one container, from its answer on; in between it is as it was. */
const everyMs = 3_000;
/** Whoever lists containers waits so long for their answers: later ones count for the next list. */
const patienceMs = 2_000;

/** As much of a container as this is about. */
interface Checked {
  id: string;
  state: string;
  health: "" | "starting" | "healthy" | "unhealthy";
}

interface Asked {
  isWell: boolean;
  /** When it is asked again: never before it has answered. */
  dueMs: number;
  answered: Promise<void>;
}

export function createHealth() {
  const asked = new Map<string, Asked>();
  const checks = new Map<string, string[]>();

  async function ask(id: string): Promise<boolean> {
    const check = checks.get(id) ?? (await checkOf(id));
    checks.set(id, check);
    const { code } = await capture(["docker", "exec", id, ...check], { limitMs: callLimitMs });
    return code === 0;
  }

  function begin(id: string): Asked {
    // Of one that is gone by now nothing can be asked.
    const isWell = ask(id).catch(() => false);
    const one: Asked = {
      isWell: false,
      dueMs: Infinity,
      answered: isWell.then((is) => {
        one.isWell = is;
        one.dueMs = performance.now() + everyMs;
      }),
    };
    asked.set(id, one);
    return one;
  }

  return async <One extends Checked>(one: One): Promise<One> => {
    if (one.state !== "running" || one.health === "" || one.health === "healthy") {
      // What it answered is no answer of its next start, which has the same id.
      asked.delete(one.id);
      return one;
    }
    const last = asked.get(one.id);
    const current = last && performance.now() < last.dueMs ? last : begin(one.id);
    await atMost(current.answered, patienceMs);
    return current.isWell ? { ...one, health: "healthy" } : one;
  };
}

async function atMost(done: Promise<void>, limitMs: number): Promise<void> {
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, limitMs);
  await Promise.race([done, over]);
  clearTimeout(timer);
}

/** The check of its image or its service, as Docker runs it. Source: Docker Engine API, ContainerInspect, Healthcheck.Test. */
async function checkOf(id: string): Promise<string[]> {
  const format = "{{json .Config.Healthcheck.Test}}";
  const told = await must(["docker", "inspect", "--format", format, id], { limitMs: callLimitMs });
  const [kind, ...argv] = JSON.parse(told) as string[];
  if (kind !== "CMD") throw new Error(`a check of the kind ${kind} can't be run here`);
  return argv;
}
