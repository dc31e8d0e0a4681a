// Drives the topology on containers from programs: start, stop, and what may happen to one container. compose.yaml
// stays the only description; a second topology beside the usual one is the same file under another project name
// with other ports. Every call is bounded.
import { join } from "node:path";
import { capture, must } from "../kit/capture.ts";
import { comesTrue } from "../kit/until.ts";
import { createHealth } from "./health.ts";
import { createOther } from "./other-topology.ts";
import { createReach } from "./reach.ts";
import { isSecured } from "./secure/access.ts";
import { ensureSecrets } from "./secure/secrets.ts";

const UP_LIMIT_MS = 180_000;
const WARM_UP_LIMIT_MS = 120_000;
const DOWN_LIMIT_MS = 120_000;
const SETTLE_LIMIT_MS = 60_000;
const CALL_LIMIT_MS = 30_000;
/** Above every stop_grace_period of compose.yaml. */
const STOP_LIMIT_MS = 75_000;
const POLL_MS = 500;

export interface Container {
  id: string;
  name: string;
  service: string;
  state: "created" | "running" | "paused" | "restarting" | "removing" | "exited" | "dead";
  /** "" for one that has no health check, or does not run. Asked, where Docker has not looked yet (health.ts). */
  health: "" | "starting" | "healthy" | "unhealthy";
  exitCode: number;
  /** On the host. */
  ports: number[];
}

export interface TopologyOptions {
  /** Compose's project name; that of compose.yaml by default. */
  project?: string;
  /** Variables of compose.yaml, above those of the environment and of infra/.env; and SECURE=1. */
  env?: Record<string, string>;
  /** Compose files laid over compose.yaml, in order. */
  overrides?: string[];
  /** Ends what is under way. */
  stop?: AbortSignal;
}

export type Topology = ReturnType<typeof openTopology>;

const docker = (args: string[], limitMs = CALL_LIMIT_MS) => must(["docker", ...args], { limitMs });

/** What may happen to one container. */
const onContainer = {
  /** Asks a container to end, and kills it after its grace period. */
  stop: ({ id }: Container) => docker(["stop", id], STOP_LIMIT_MS),
  kill: ({ id }: Container, signal = "KILL") => docker(["kill", "--signal", signal, id]),
  start: ({ id }: Container) => docker(["start", id]),
  pause: ({ id }: Container) => docker(["pause", id]),
  unpause: ({ id }: Container) => docker(["unpause", id]),
  /** Runs a command in a container, and resolves with its standard output. */
  exec: ({ id }: Container, argv: string[]) => docker(["exec", id, ...argv]),
};

/** A handle on a topology, whether it runs or not. */
export function openTopology({ project, env = {}, overrides = [], stop }: TopologyOptions = {}) {
  const secured = isSecured({ ...process.env, ...env });
  const laidOver = secured ? [join(import.meta.dir, "secure", "compose.yaml"), ...overrides] : overrides;
  const files = [join(import.meta.dir, "compose.yaml"), ...laidOver].flatMap((file) => ["-f", file]);
  const prefix = ["docker", "compose", ...(project ? ["-p", project] : []), ...files];
  const compose = (args: string[], limitMs = CALL_LIMIT_MS) =>
    must([...prefix, ...args], { limitMs, env, ...(stop && { stop }) });

  const asItIs = createHealth();

  async function config() {
    return JSON.parse(await compose(["config", "--format", "json"]));
  }

  async function containers(service?: string): Promise<Container[]> {
    const listed = await compose(["ps", "--all", "--format", "json", ...(service ? [service] : [])]);
    const found = listed.split("\n").filter(Boolean).map(readContainer);
    const sorted = found.toSorted((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
    return Promise.all(sorted.map(asItIs));
  }

  async function ports(): Promise<Record<string, number>> {
    const published = Object.entries<string>((await config())["x-host-ports"]);
    return Object.fromEntries(published.map(([variable, port]) => [variable, Number(port.split(":")[1])]));
  }

  return {
    /** `docker compose` on this topology; resolves with its standard output. */
    compose,
    /** compose.yaml as it counts: variables filled in, anchors resolved. */
    config,
    /** The containers of a service, or of all, running or not, in the order of their names. */
    containers,
    /** Ports on the host, by the variable that moves each. */
    ports,
    ...createOther(project, secured),
    /** Starts what does not run, and resolves when all of it is well; `args` as for `docker compose up`. */
    up: async (args: string[] = []) => {
      // Servers read their certificates when they start.
      const renewed = secured && (await ensureSecrets());
      await compose(["up", "-d", ...(renewed ? ["--force-recreate"] : []), ...args], UP_LIMIT_MS);
      // Not Compose's own --wait, which gives up on one that is unhealthy and about to recover.
      const isWell = async () => (await containers()).every((one) => wellStates.has(stateOf(one)));
      if (!(await comesTrue(isWell, SETTLE_LIMIT_MS, POLL_MS)))
        throw new Error(`not well after ${SETTLE_LIMIT_MS / 1000} s`);
    },
    /** Warms brokers that have just started (ops/warm-up.ts). Where that fails it is said. @param say told how it goes */
    warmUp: async (say: (line: string) => void) => {
      const argv = [...prefix, "run", "--rm", "--no-deps", "-T", "topics", "ops/warm-up.ts"];
      // Compose tells of its own doings between the lines.
      const onLine = (line: string) => line.startsWith("  ") && say(line);
      const limits = { limitMs: WARM_UP_LIMIT_MS, ...(stop && { stop }) };
      const { code, stderr } = await capture(argv, { ...limits, env, onLine });
      stop?.throwIfAborted();
      if (code !== 0) say(`The brokers could not be warmed, the first orders may take seconds: ${stderr}`);
    },
    /** Removes the containers and networks, and the data with them if so told; `atOnce`: nobody may finish anything. */
    down: ({ volumes = false, atOnce = false } = {}) => {
      const options = [...(volumes ? ["--volumes"] : []), ...(atOnce ? ["--timeout", "0"] : [])];
      return compose(["down", "--remove-orphans", ...options], DOWN_LIMIT_MS);
    },
    ...onContainer,
    /** Waits until a service has that many containers and all are healthy; false if it doesn't come to that. */
    healthy: (service: string, count: number, limitMs = SETTLE_LIMIT_MS) =>
      comesTrue(
        async () => {
          const all = await containers(service);
          return all.length === count && all.every((one) => stateOf(one) === "healthy");
        },
        limitMs,
        POLL_MS,
      ),
    ...createReach({ secured, ports, config }),
  };
}

/** What matters of a container's state, in a word or two. */
export function stateOf({ state, health, exitCode }: Container): string {
  if (state === "exited") return exitCode === 0 ? "done" : `ended with ${exitCode}`;
  return health || state;
}

/** One that ran to its end well, or runs and says that it is well. */
export const wellStates: ReadonlySet<string> = new Set(["done", "healthy"]);

function readContainer(line: string): Container {
  const { ID, Name, Service, State, Health, ExitCode, Publishers } = JSON.parse(line);
  return {
    id: ID,
    name: Name,
    service: Service,
    state: State,
    health: Health,
    exitCode: ExitCode,
    ports: (Publishers ?? []).map(({ PublishedPort }: { PublishedPort: number }) => PublishedPort),
  };
}
