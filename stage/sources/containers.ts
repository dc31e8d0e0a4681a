/**
 * The topology on containers, as `make up` starts it. Its instances are read through the operators' door of the balancer
 * (their pages by place), the brokers through their ports on this machine, the ledger through its own.
 */

import type { Container, Topology } from "../../infra/topology.ts";
import type { TierName } from "../../page/state.ts";
import type { BrokerPort } from "../../proof/system/cluster.ts";
import { openSystem, tierOf } from "../../proof/system/system.ts";
import type { FaultName } from "../faults/faults.ts";
import { askLog, type LogView, whole } from "./kafka.ts";
import { createPostgresLook } from "./ledgers.ts";
import { createInstanceReader, pageOf, type Said } from "./pages.ts";
import { createRoster, nameOf } from "./roster.ts";
import type { Look, Seen, Source } from "./source.ts";

/** The rows of its server templates (lb/haproxy.cfg). */
const slots = 12;
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
  const brokers = [1, 2, 3].map((id): BrokerPort => {
    return { id, port: Number(ports[`KAFKA_PORT_${id}`]), admission, kept: [] };
  });
  const roster = createRoster(system);
  const why = whyNotNetworked();
  const most = why === "" ? [...anyone, ...networked] : anyone;
  const heard = createOperatorsDoor(`http://127.0.0.1:${ports.LB_STATS_PORT}`);
  let ledgerWhy = "";
  let log: LogView | undefined;
  let logWhy = "";
  const silent = ({ message }: Error) => {
    logWhy = message;
    return undefined;
  };

  async function look(): Promise<Look> {
    const { containers, modes } = await roster.now();
    const running = new Set(containers.filter(({ state }) => state === "running").map(nameOf));
    const awake = brokers.filter(({ id }) => running.has(`kafka${id}`));
    const [said, view] = await Promise.all([heard(), askLog(awake).catch(silent)]);
    log = view;
    const seen = containers.map((one) => seenOf(one, said, modes, ledgerWhy));
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
      for (const connection of brokers.flatMap(({ kept = [] }) => kept)) connection.close();
      await postgres.close();
    },
  };
}

interface Heard {
  /** By their own names: a container's is the beginning of its id. */
  said: Said[];
  /** It answers. */
  balancer: boolean;
}

/** What the instances say of themselves, through the balancer. */
function createOperatorsDoor(operators: string) {
  const pages = (["producer", "consumer"] as const).flatMap((tier) =>
    Array.from({ length: slots }, (_, at) => ({
      server: `${tier}${at + 1}`,
      read: createInstanceReader(`${operators}/${tier}${at + 1}`),
    })),
  );
  return async (): Promise<Heard> => {
    const csv = await pageOf(`${operators}/;csv`);
    const there = new Set(csv?.split("\n").flatMap((row) => activeServer(row.split(","))));
    const asked = pages.filter(({ server }) => there.has(server)).map(({ read }) => read());
    const said = (await Promise.all(asked)).filter((one) => one !== undefined);
    return { said, balancer: csv !== undefined };
  };
}

/** A server of the operators' door that has an address. Source: HAProxy's management guide, 9.1, «CSV format». */
const activeServer = ([proxy, server = "", ...fields]: string[]): string[] =>
  proxy === "instances" && server !== "BACKEND" && !fields.some((field) => field.startsWith("MAINT"))
    ? [server]
    : [];

/** One container, by what the host, its mode in the ensemble, the ledger and the instances themselves say. */
function seenOf(
  one: Container,
  { said, balancer }: Heard,
  modes: ReadonlyMap<string, string>,
  ledgerWhy: string,
): Seen {
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
