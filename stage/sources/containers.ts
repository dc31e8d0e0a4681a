/**
 * The topology on containers, as `make up` starts it. Its instances are read through the operators' door of the balancer
 * (their pages by place), the brokers through their ports on this machine, the ledger through its own. Docker tells by its
 * events who came and went, so that it is not asked again and again.
 */

import type { Container, Topology } from "../../infra/topology.ts";
import { linesOf } from "../../kit/lines.ts";
import { openSystem, tierOf } from "../../proof/system/system.ts";
import type { FaultName } from "../faults/faults.ts";
import type { TierName } from "../state.ts";
import { askLog, type LogView, whole } from "./kafka.ts";
import { createPostgresLook } from "./ledgers.ts";
import { createInstanceReader, pageOf, type Said } from "./pages.ts";
import type { Look, Seen, Source } from "./source.ts";

/** The rows of its server templates (lb/haproxy.cfg). */
const slots = 12;
const listEveryMs = 60_000;
const modesEveryMs = 60_000;
const modesSoonMs = 3_000;
const eventsAgainMs = 2_000;
const anyone: readonly FaultName[] = ["stop", "kill", "pause"];

/** Faults of a container's network, and why there are none from here. */
const networked: readonly FaultName[] = ["slow", "partition"];
function whyNotNetworked(): string {
  if (process.getuid?.() !== 0) return "the stage does not run as root";
  const missing = ["nsenter", "tc", "iptables"].filter((tool) => !Bun.which(tool));
  return missing.length > 0 ? `this machine lacks ${missing.join(", ")}` : "";
}

/** Opens a topology that runs. @throws UserError when nothing of it does, or its ports are not as the environment says */
export async function openContainers(topology: Topology): Promise<Source> {
  const system = await openSystem(topology);
  const { ports, url, access } = system;
  const postgres = createPostgresLook(await topology.ledgerOptions("prove"), () =>
    topology.ledgerOptions("owner"),
  );
  const admission = topology.admission();
  const brokers = [1, 2, 3].map((id) => ({ id, port: Number(ports[`KAFKA_PORT_${id}`]), admission }));
  const operators = `http://127.0.0.1:${ports.LB_STATS_PORT}`;
  const roster = createRoster(system);
  const why = whyNotNetworked();
  const most = why === "" ? [...anyone, ...networked] : anyone;
  const pages = (["producer", "consumer"] as const).flatMap((tier) =>
    Array.from({ length: slots }, (_, at) => ({
      server: `${tier}${at + 1}`,
      read: createInstanceReader(`${operators}/${tier}${at + 1}`),
    })),
  );
  let ledgerWhy = "";
  let log: LogView | undefined;
  let logWhy = "";
  const silent = ({ message }: Error) => {
    logWhy = message;
    return undefined;
  };

  /** What the instances said, by their own names: a container's is the beginning of its id. */
  async function heard(): Promise<{ said: Said[]; balancer: boolean }> {
    const csv = await pageOf(`${operators}/;csv`);
    const there = new Set(csv?.split("\n").flatMap((row) => activeServer(row.split(","))));
    const asked = pages.filter(({ server }) => there.has(server)).map(({ read }) => read());
    const said = (await Promise.all(asked)).filter((one) => one !== undefined);
    return { said, balancer: csv !== undefined };
  }

  async function look(): Promise<Look> {
    const { containers, modes } = await roster.now();
    const running = new Set(containers.filter(({ state }) => state === "running").map(nameOf));
    const awake = brokers.filter(({ id }) => running.has(`kafka${id}`));
    const [{ said, balancer }, view] = await Promise.all([heard(), askLog(awake).catch(silent)]);
    log = view;
    const seen = containers.map((one): Seen => {
      const tier = tierOf(one);
      const name = nameOf(one);
      const base = { name, tier, ...hostOf(one) };
      if (base.host !== "running") return base;
      if (tier === "balancer") return { ...base, why: balancer ? "" : "does not answer" };
      if (tier === "ledger") return { ...base, why: ledgerWhy };
      if (tier === "broker") return base;
      if (tier === "zookeeper")
        return { ...base, role: modes.get(name), why: modes.has(name) ? "" : "in no majority" };
      const found = said.find(({ reading }) => one.id.startsWith(reading.name));
      return found
        ? { ...base, ...found }
        : { ...base, why: balancer ? "does not answer" : "not to be seen without the balancer" };
    });
    return { seen, log: view };
  }

  return {
    kind: access ? "secured" : "containers",
    url,
    access,
    look,
    evidence: {
      look: async (ids) => {
        try {
          const found = await postgres.look(ids);
          ledgerWhy = "";
          return found;
        } catch (error) {
          ledgerWhy = (error as Error).message;
          throw new Error(`the ledger can't be read: ${ledgerWhy}`);
        }
      },
      trace: postgres.trace,
      offsets: async () => whole(log, logWhy),
    },
    system,
    containers: async () => new Map((await roster.now()).containers.map((one) => [nameOf(one), one])),
    faults: {
      ...{ producer: most, consumer: most, broker: most, zookeeper: most },
      ...{ balancer: [...anyone, "reload"], ledger: anyone },
    },
    withheld: why === "" ? {} : Object.fromEntries(networked.map((name) => [name, why])),
    rolling: ["producer", "consumer"],
    scalable: ["producer", "consumer"],
    scale: async (tier, count) => {
      await topology.compose(["up", "-d", "--no-recreate", "--no-deps", "--scale", `${tier}=${count}`, tier]);
    },
    command: access ? (...of) => inSecured(commandOf(...of)) : commandOf,
    operator: {
      KAFKA_BROKERS: brokers.map(({ port }) => `127.0.0.1:${port}`).join(","),
      ...topology.kafkaVariables("dead"),
      ...(await topology.ledgerVariables("prove")),
    },
    onChange: roster.onChange,
    close: async () => {
      roster.close();
      await postgres.close();
    },
  };
}

/** A server of the operators' door that has an address. Source: HAProxy's management guide, 9.1, «CSV format». */
const activeServer = ([proxy, server = "", ...fields]: string[]): string[] =>
  proxy === "instances" && server !== "BACKEND" && !fields.some((field) => field.startsWith("MAINT"))
    ? [server]
    : [];

/** "kafka1", "producer-2", "haproxy". */
export function nameOf({ service, name }: Container): string {
  const many = /^(producer|consumer)$/.test(service);
  return many ? `${service}-${/\d+$/.exec(name)?.[0] ?? ""}` : service;
}

function hostOf({ state, exitCode }: Container): Pick<Seen, "host" | "why"> {
  if (state === "running") return { host: "running", why: "" };
  if (state === "paused") return { host: "paused", why: "frozen: answers nobody" };
  const signal = exitCode === 137 ? "killed" : exitCode === 0 ? "stopped" : `ended with ${exitCode}`;
  return { host: "down", why: state === "exited" ? signal : state };
}

function commandOf(what: FaultName | "heal" | "scale", tier: TierName, name: string, more = ""): string {
  if (what === "heal") return "bun run chaos heal";
  if (what === "scale")
    return `docker compose -f infra/compose.yaml up -d --no-recreate --scale ${tier}=${more}`;
  const nth = /\d+$/.exec(name)?.[0];
  return `bun run chaos ${what} ${tier}${nth ? ` --nth ${nth}` : name ? "" : " --all"}${more}`;
}

/** The same command for the secured topology. */
const inSecured = (command: string): string =>
  command.startsWith("docker ")
    ? command.replace("infra/compose.yaml", "infra/compose.yaml -f infra/secure/compose.yaml")
    : `SECURE=1 ${command}`;

/** What an event leaves of a container. Source: Docker's manual, «docker system events». */
const stateAfter: Record<string, Container["state"]> = {
  start: "running",
  unpause: "running",
  pause: "paused",
  die: "exited",
};
interface DockerEvent {
  Action: string;
  Actor: { ID: string; Attributes: { exitCode?: string } };
}

/** Who is there: listed now and then, and kept up by Docker's events, so that a change costs nothing to learn. */
function createRoster(system: Awaited<ReturnType<typeof openSystem>>) {
  const { topology } = system;
  let containers: Container[] = [];
  let modes = new Map<string, string>();
  let [listDueMs, modesDueMs, events] = [0, 0, 0];
  let hear = () => {};
  const stopping = new AbortController();

  async function askModes(): Promise<void> {
    const nodes = containers.filter((one) => tierOf(one) === "zookeeper" && one.state === "running");
    const found = await Promise.all(
      nodes.map(async (one) => [nameOf(one), await system.mode(one).catch(() => undefined)] as const),
    );
    modes = new Map(found.filter((pair): pair is [string, string] => pair[1] !== undefined));
    // Who is in no majority is asked again soon.
    modesDueMs = performance.now() + (modes.size === nodes.length ? modesEveryMs : modesSoonMs);
  }

  async function now(): Promise<{ containers: Container[]; modes: Map<string, string> }> {
    const at = performance.now();
    if (at >= listDueMs) {
      listDueMs = at + listEveryMs;
      const before = events;
      containers = await system.containers().catch(() => containers);
      // What happened while it was listed may be in the list or not.
      if (events !== before) listDueMs = 0;
    }
    if (at >= modesDueMs) {
      modesDueMs = at + modesEveryMs;
      void askModes();
    }
    return { containers, modes };
  }

  function take({ Action, Actor: { ID, Attributes } }: DockerEvent): void {
    events += 1;
    const state = stateAfter[Action];
    const exitCode = Number(Attributes.exitCode ?? 0);
    if (state)
      containers = containers.map((one) => (ID.startsWith(one.id) ? { ...one, state, exitCode } : one));
    else listDueMs = 0;
    // An election takes a moment.
    modesDueMs = performance.now() + modesSoonMs;
    hear();
  }

  void (async () => {
    const kinds = [...Object.keys(stateAfter), "create", "destroy"].map((event) => `event=${event}`);
    const labelled = [...kinds, `label=com.docker.compose.project=${(await topology.config()).name}`];
    const filters = labelled.flatMap((one) => ["--filter", one]);
    const argv = ["docker", "events", "--format", "{{json .}}", ...filters];
    const { env } = process;
    // Ended by their daemon's end, they are listened to again: who came and went meanwhile is in no event.
    for (; !stopping.signal.aborted; await Bun.sleep(eventsAgainMs), listDueMs = 0) {
      const child = Bun.spawn(argv, { env, stderr: "ignore", signal: stopping.signal });
      for await (const line of linesOf(child.stdout)) take(JSON.parse(line));
    }
  })();

  return {
    now,
    onChange(listener: () => void): void {
      hear = listener;
    },
    close: (): void => stopping.abort(),
  };
}
