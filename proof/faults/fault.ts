// What every fault can do. Healing needs no memory of the injection: it looks at what is there, so that it works in
// another process too, after one that was killed, and does nothing where there is nothing to heal.

import type { Container } from "../../infra/topology.ts";
import { must } from "../../kit/capture.ts";
import { UserError } from "../../kit/user-error.ts";
import type { ClientAnswer, Cut } from "../history/history.ts";
import type { System } from "../system/system.ts";

export interface FaultOptions {
  /** From whom a container is cut off. */
  from?: Container[];
  /** Ends what takes long: whoever sets it off heals next. */
  stop?: AbortSignal;
  /** Orders per second that are sent meanwhile, by others. */
  ratePerS?: number;
  /** Takes what clients of the fault's own were told: their orders are orders of the run as well. */
  told?(answers: readonly ClientAnswer[]): void;
  /** Takes what the fault destroyed for good: records that are in no log any more. */
  cut?(cut: Cut): void;
}

export interface Fault {
  /** What it does to a container, for the usage text. */
  what: string;
  /** Does it to all of them; resolves with a remark where there is one to make. */
  inject(system: System, targets: Container[], options: FaultOptions): Promise<string | undefined>;
  /** Undoes it wherever it was done. */
  heal(system: System, containers: Container[]): Promise<void>;
}

/** What became of a fault's own orders, in words. */
export function inWords(answers: readonly ClientAnswer[]): string {
  const of = (fate: ClientAnswer["fate"]) => answers.filter((answer) => answer.fate === fate).length;
  return `accepted ${of("accepted")}, refused ${of("refused")}, unknown ${of("unknown")}`;
}

const volumesLimitMs = 30_000;

/** Runs a command as root among the files of a container, which need not run. @returns what it wrote */
export async function inVolumesOf({ id }: Container, [program = "", ...rest]: string[]): Promise<string> {
  const image = await must(["docker", "inspect", "--format", "{{.Image}}", id], { limitMs: volumesLimitMs });
  const alone = ["docker", "run", "--rm", "--user", "root", "--network", "none", "--volumes-from", id];
  return must([...alone, "--entrypoint", program, image, ...rest], { limitMs: volumesLimitMs });
}

/**
 * Asks a container to end. Once `stop` is set off it is killed: the heal, which starts it again, would have to wait for its
 * grace period.
 */
export async function askToEnd({ topology }: System, one: Container, stop?: AbortSignal): Promise<void> {
  // It may have ended meanwhile.
  const kill = () => void topology.kill(one).catch(() => undefined);
  stop?.addEventListener("abort", kill);
  try {
    await topology.stop(one);
  } finally {
    stop?.removeEventListener("abort", kill);
  }
}

/** Starts what does not run. */
export async function startAgain({ topology }: System, containers: Container[]): Promise<void> {
  await each(
    containers.filter(({ state }) => state === "exited" || state === "created"),
    topology.start,
  );
}

/** Does it to all at once; one that fails does not keep the others from it. */
export async function each(
  containers: Container[],
  act: (container: Container) => Promise<unknown>,
): Promise<void> {
  const endings = await Promise.allSettled(containers.map(act));
  const failures = endings.flatMap((ending) => (ending.status === "rejected" ? [String(ending.reason)] : []));
  if (failures.length > 0) throw new UserError(failures.join("\n"));
}
