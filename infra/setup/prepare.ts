// Makes a machine ready for a command: brings what is missing, and nothing twice. Where it may not, it says in one
// message everything that is missing, before any long work.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Machine, withTools } from "../../kit/machine.ts";
import { step } from "../../kit/step.ts";
import { UserError } from "../../kit/user-error.ts";
import { ensureImages } from "../images.ts";
import { aptInstall, mayInstall } from "./apt.ts";
import { type Daemon, dockerDaemon } from "./docker.ts";
import { forContainers, type PreparedCommand, type Requirement, requirementsOf } from "./requirements.ts";

const root = join(import.meta.dir, "..", "..");
/** Seen before anything is brought. */
const hadPackages = existsSync(join(root, "node_modules"));

export interface Prepared {
  /** Why the tests on containers can't run here, where they can't. */
  withoutContainers?: string;
  daemon?: Daemon;
}

/** Prepares for `command`, its tests on containers left out if so told; rejects with a UserError where it can't. */
export async function prepare(
  command: PreparedCommand,
  machine: Machine,
  onContainers = true,
): Promise<Prepared> {
  const requirements = requirementsOf(command).filter((one) => onContainers || !forContainers.has(one));
  const mayLack = command === "test" ? forContainers : new Set<Requirement>();
  const lacking = await satisfy(requirements, mayLack, machine);
  await bun(machine, "installing dependencies", ["install", "--frozen-lockfile"], 10);
  if (["demo", "test", "prove", "bench", "bench-quick"].includes(command))
    await bun(machine, "building node-rdkafka for Bun", ["native/build.ts"], 20);
  if (["up", "prove", "bench", "bench-quick"].includes(command))
    return { daemon: await dockerDaemon(machine) };
  if (command !== "test" || !onContainers) return {};
  if (lacking.length === 0) return readyForTests(machine);
  return { withoutContainers: `missing: ${lacking.map(({ name }) => name).join("; ")}` };
}

/**
 * For entries, once they have read their command line: prepares for `command`, and says what stays of that. Where there were
 * no packages the process begins anew, in its own place: Bun looks for packages once, and remembers that there are none.
 * @throws UserError where it can't
 */
export async function begin(command: PreparedCommand, machine: Machine): Promise<void> {
  const { daemon } = await prepare(command, machine);
  if (daemon?.pid) machine.say(`The Docker daemon was started for this: "kill ${daemon.pid}" ends it.`);
  if (hadPackages) return;
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  process.execve?.(process.execPath, again, process.env as Record<string, string>);
}

/**
 * Brings what is missing of `requirements` and gives back what of `mayLack` could not be had; rejects if anything
 * else could not. Of `mayLack` it brings all or nothing: one without the others would be long work in vain.
 */
export async function satisfy(
  requirements: Requirement[],
  mayLack: ReadonlySet<Requirement>,
  machine: Machine,
): Promise<Requirement[]> {
  let missing = await missingOf(requirements, machine);
  if (missing.length > 0 && mayInstall(machine)) {
    const choices = (await Promise.all(missing.map((requirement) => requirement.packages(machine)))).flat();
    try {
      if (choices.length > 0) await aptInstall(choices, machine);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      machine.say(error.message);
    }
    missing = await missingOf(missing, machine);
  }
  const makeable = await filter(missing, async ({ make }) => (await make?.can(machine)) ?? false);
  const hopeless = missing.filter((requirement) => !makeable.includes(requirement));
  if (hopeless.some((requirement) => !mayLack.has(requirement)))
    throw new UserError(message(hopeless, machine));
  for (const requirement of makeable) {
    if (hopeless.length > 0 && mayLack.has(requirement)) continue;
    try {
      await requirement.make?.run(machine);
    } catch (error) {
      if (!mayLack.has(requirement) || !(error instanceof UserError)) throw error;
      machine.say(error.message);
      hopeless.push(requirement);
    }
  }
  return hopeless;
}

/** The daemon and the images; what goes wrong with them is a reason to leave out the tests that need them. */
async function readyForTests(machine: Machine): Promise<Prepared> {
  let daemon: Daemon | undefined;
  try {
    daemon = await dockerDaemon(machine);
    await ensureImages(machine);
    return { daemon };
  } catch (error) {
    await daemon?.stop();
    machine.stop.throwIfAborted();
    return { withoutContainers: String(error) };
  }
}

function bun(machine: Machine, title: string, args: string[], limitMinutes: number): Promise<void> {
  const options = { limitMs: limitMinutes * 60_000, cwd: root, env: withTools(machine) };
  return step(machine, title, [process.execPath, ...args], options);
}

function message(missing: Requirement[], machine: Machine): string {
  const why = mayInstall(machine)
    ? "could not be installed"
    : `is not installed from here (${machine.root ? "no apt-get" : "not root"})`;
  const hint = "As root on Debian or Ubuntu, the same command installs all of it.";
  return [
    `Missing here, and ${why}:`,
    ...missing.map(({ name, howToGet }) => `  - ${name}: ${howToGet}`),
    ...(mayInstall(machine) ? [] : [hint]),
  ].join("\n");
}

function missingOf(requirements: Requirement[], machine: Machine): Promise<Requirement[]> {
  return filter(requirements, async (requirement) => !(await requirement.isThere(machine)));
}

async function filter<T>(items: T[], holds: (item: T) => Promise<boolean>): Promise<T[]> {
  const kept = await Promise.all(items.map(holds));
  return items.filter((_, index) => kept[index]);
}
