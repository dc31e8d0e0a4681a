// The topology that a proof runs on: the one that is up, the one of `make up`, started, or one of its own that leaves
// nothing behind.
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureImages } from "../../infra/images.ts";
import { openTopology, stateOf, type Topology, wellStates } from "../../infra/topology.ts";
import { run } from "../../kit/child.ts";
import { type Machine, withTools } from "../../kit/machine.ts";
import { freePorts } from "../../kit/ports.ts";
import { UserError } from "../../kit/user-error.ts";
import { boundedDisk } from "./bounded-disk.ts";
import { lock } from "./lock.ts";

const upLimitMs = 30 * 60_000;
const freshProject = "coffee-orders-prove";

export interface WantedTopology {
  project: string | undefined;
  fresh: boolean;
  /** Gives the first broker a disk that can be filled. */
  fillable: boolean;
  /** The folder that the containers' logs go to before they are removed. */
  out: string;
  /** Compose files laid over a fresh one. */
  overrides?: string[];
}

/** Gives a topology that runs to `act`, and removes it after that if it is one of its own. */
export async function withTopology<T>(
  machine: Machine,
  wanted: WantedTopology,
  act: (topology: Topology) => Promise<T>,
): Promise<T> {
  const name = wanted.project ?? (wanted.fresh ? freshProject : "coffee-orders");
  using _alone = lock(join(tmpdir(), `coffee-orders-prove-${name}.lock`));
  return await (wanted.fresh ? onFresh : onStanding)(machine, wanted, act);
}

async function onStanding<T>(
  machine: Machine,
  { project }: WantedTopology,
  act: (topology: Topology) => Promise<T>,
): Promise<T> {
  const topology = openTopology(project === undefined ? {} : { project });
  await topology.refuseOther("bun run prove");
  const containers = await topology.containers();
  const well = containers.every((one) => wellStates.has(stateOf(one)));
  if (containers.length > 0 && well) return act(topology);
  if (project !== undefined) throw new UserError(`${project} is not up, or not well. --fresh makes one.`);
  const { exitCode } = await run([process.execPath, join(import.meta.dir, "../../infra/up.ts")], {
    limitMs: upLimitMs,
    stop: machine.stop,
    env: withTools(machine),
  });
  if (exitCode !== 0) throw new UserError("The topology could not be started.");
  return act(topology);
}

async function onFresh<T>(
  machine: Machine,
  { project = freshProject, fillable, out, overrides = [] }: WantedTopology,
  act: (topology: Topology) => Promise<T>,
): Promise<T> {
  await ensureImages(machine);
  const names = Object.keys(await openTopology({ project }).ports());
  // Whatever an interrupted run left goes first: it may hold the ports.
  await openTopology({ project }).down({ volumes: true, atOnce: true });
  const disk = fillable ? await boundedDisk(machine, project) : undefined;
  try {
    const laidOver = [...(disk ? [disk.override] : []), ...overrides];
    const options = { project, env: await freePorts(names), overrides: laidOver };
    const topology = openTopology(options);
    try {
      machine.say("Starting a topology of its own ...");
      const starting = openTopology({ ...options, stop: machine.stop });
      await starting.up();
      await starting.warmUp(machine.say);
      return await act(topology);
    } finally {
      const log = join(out, `${project}.log`);
      await afterwards("The containers' logs could not be kept", keepLogs(topology, log));
      // Its data go with it: brokers that all end at once would wait out their grace periods for nothing.
      const removed = topology.down({ volumes: true, atOnce: true });
      await afterwards("The topology could not be removed", removed);
    }
  } finally {
    await afterwards("The disk could not be removed", disk?.remove());
  }

  /** What was found counts, whatever becomes of the topology; the next run removes what is left before it starts. */
  async function afterwards(failure: string, done: Promise<unknown> | undefined): Promise<void> {
    await done?.catch((error: Error) => machine.say(`${failure}: ${error.message}`));
  }
}

const keepLogs = async (topology: Topology, path: string) =>
  Bun.write(path, await topology.compose(["logs", "--no-color"]));
