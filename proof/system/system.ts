// The topology as faults see it: its containers by tier, and what Kafka and ZooKeeper say of themselves.

import type { Container, Topology } from "../../infra/topology.ts";
import { must } from "../../kit/capture.ts";
import { UserError } from "../../kit/user-error.ts";
import { askCluster, askEach, type BrokerPort, type Cluster } from "./cluster.ts";

/** The tiers, each with the form of its services' names in compose.yaml. */
const tierServices = {
  producer: /^producer$/,
  consumer: /^consumer$/,
  broker: /^kafka\d+$/,
  zookeeper: /^zookeeper\d+$/,
  balancer: /^haproxy$/,
  ledger: /^postgres$/,
} as const;

export type Tier = keyof typeof tierServices;
export const tiers = Object.keys(tierServices) as Tier[];

export type System = Awaited<ReturnType<typeof openSystem>>;

/**
 * A handle on a topology that runs, or did.
 * @throws UserError when its ports are not those that the environment says: another topology's would answer
 */
export async function openSystem(topology: Topology) {
  const ports = await topology.ports();
  const known = new Set(Object.values(ports));
  for (const { name, ports: published } of await topology.containers())
    for (const port of published)
      if (port > 0 && !known.has(port))
        throw new UserError(
          `${name} listens on port ${port}: set the variables of its ports as at its start.`,
        );
  const admission = topology.admission();
  const brokers: BrokerPort[] = Object.entries(ports).flatMap(([variable, port]) => {
    const id = /^KAFKA_PORT_(\d+)$/.exec(variable)?.[1];
    return id ? [{ id: Number(id), port, admission }] : [];
  });

  return {
    topology,
    ports,
    url: await topology.url(),
    /** What that asks for, where it does. */
    access: topology.access(),
    /** The containers of some tiers, of all by default, running or not. */
    async containers(...wanted: Tier[]): Promise<Container[]> {
      const services = (wanted.length > 0 ? wanted : tiers).map((tier) => tierServices[tier]);
      return (await topology.containers()).filter(({ service }) =>
        services.some((form) => form.test(service)),
      );
    },
    /** How the producers that were started choose a partition. */
    async partitioner(): Promise<"batch" | "customer"> {
      const [producer] = await topology.containers("producer");
      if (!producer) return "batch";
      const argv = ["docker", "inspect", "--format", "{{json .Config.Env}}", producer.id];
      const variables: string[] = JSON.parse(await must(argv, { limitMs: inspectLimitMs }));
      return variables.includes("PARTITIONER=customer") ? "customer" : "batch";
    },
    /** The same containers, in the state that they are in now: a fraction of what listing them all costs. */
    async again(containers: Container[]): Promise<Container[]> {
      if (containers.length === 0) return [];
      const ids = containers.map(({ id }) => id);
      const argv = ["docker", "inspect", "--format", "{{.State.Status}}", ...ids];
      const states = (await must(argv, { limitMs: inspectLimitMs })).split("\n");
      return containers.map((one, index) => ({ ...one, state: states[index] as Container["state"] }));
    },
    /** What a broker that runs says of the cluster and the group. @throws Error when none answers */
    cluster: (): Promise<Cluster> => askCluster(brokers),
    /** What each broker says of them. @throws Error when one does not answer */
    views: (): Promise<Cluster[]> => askEach(brokers),
    /** What a ZooKeeper node is in its ensemble; undefined: in none that has a majority. */
    async mode(node: Container): Promise<string | undefined> {
      const said = await topology.exec(node, ["bash", "-c", askMode]);
      return /^Mode: (\w+)/m.exec(said)?.[1];
    },
  };
}

const inspectLimitMs = 30_000;
const askMode = "exec 3<>/dev/tcp/127.0.0.1/2181 && printf srvr >&3 && cat <&3";

/** The tier that a container belongs to. */
export function tierOf({ service }: Container): Tier {
  const tier = tiers.find((one) => tierServices[one].test(service));
  if (!tier) throw new Error(`${service} belongs to no tier`);
  return tier;
}
