// What needs real brokers, since it is lost on replicas, and the mock's are bookkeeping. A producer that is content with
// the leader's acknowledgement (acks=1): both followers stand still while orders come in, then the leader is killed
// before they could fetch, so that whoever had only the leader's word has nothing. And a log that loses its end on all
// brokers at once, and is longer than before when its consumer comes back.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { SQL } from "bun";
import { ensureImages } from "../infra/images.ts";
import { e2eProject } from "../infra/test/suites.ts";
import { type Container, openTopology, type Topology } from "../infra/topology.ts";
import { thisMachine } from "../kit/machine.ts";
import { freePorts } from "../kit/ports.ts";
import { comesTrue, until } from "../kit/until.ts";
import { consumerConfig } from "../src/config.ts";
import { partitionForKey } from "../src/intake/partitioner.ts";
import { openTopics, partitionCount } from "../testing/kafka.ts";
import { type PostgresServer, startPostgres } from "../testing/postgres.ts";
import { faults } from "./faults/registry.ts";
import { askCluster } from "./system/cluster.ts";
import { openSystem } from "./system/system.ts";
import { type IntakeMutation, startProducer } from "./testing/intakes.ts";
import { startSmallSystem } from "./testing/small-system.ts";

const IMAGES_LIMIT_MS = 1_200_000;
/** The leader has an order within milliseconds; more than this, and the followers would be taken for dead. */
const ACKNOWLEDGED_LIMIT_MS = 400;
const brokerIds = [1, 2, 3];
const services = brokerIds.map((id) => `kafka${id}`);

setDefaultTimeout(240_000);

let topology: Topology;
let brokers: { id: number; port: number }[];
let server: PostgresServer;

beforeAll(async () => {
  await ensureImages(thisMachine(new AbortController().signal));
  server = startPostgres();
  const names = Object.keys(await openTopology({ project: e2eProject }).ports());
  await openTopology({ project: e2eProject }).down({ volumes: true, atOnce: true });
  const overrides = [join(import.meta.dir, "testing", "slow-to-shrink.yaml")];
  topology = openTopology({ project: e2eProject, env: await freePorts(names), overrides });
  await topology.up([...services, "topics"]);
  const ports = await topology.ports();
  brokers = brokerIds.map((id) => ({ id, port: ports[`KAFKA_PORT_${id}`] ?? 0 }));
}, IMAGES_LIMIT_MS + 300_000);

afterAll(async () => {
  await topology.down({ volumes: true, atOnce: true });
  server[Symbol.dispose]();
});

const keys = (name: string, count: number) => Array.from({ length: count }, (_, n) => `${name}-${n}`);

const bootstrap = () => brokers.map(({ port }) => `127.0.0.1:${port}`).join();

/** One whose orders go to that partition. */
const customerOf = (partition: number): string =>
  keys("c", 1_000).find((one) => partitionForKey(one, partitionCount) === partition) ?? "";

/** The partitions, once each has all its replicas. */
async function wholePartitions() {
  let found: Awaited<ReturnType<typeof askCluster>>["partitions"] = [];
  const areWhole = async () => {
    found = (await askCluster(brokers)).partitions;
    const isWhole = found.every(({ inSync, leader }) => leader > 0 && inSync.length === brokerIds.length);
    return isWhole && found.some(({ topic }) => topic === "orders");
  };
  expect(await comesTrue(areWhole, 120_000, 500)).toBe(true);
  return found;
}

async function run(mutation: IntakeMutation) {
  const env = { KAFKA_BROKERS: bootstrap(), PARTITIONER: "customer", DELIVERY_TIMEOUT_MS: "60000" };
  await using small = await startSmallSystem(server, env);
  await small.startConsumer("none");
  await using producer = await startProducer(small.env, mutation);
  const { customer, leader, followers } = await onePartition();
  const place = (name: string, count: number) =>
    keys(`${mutation}-${name}`, count).map((key) => small.order(key, customer, [producer]));
  await Promise.all(place("before", 5));

  await Promise.all(followers.map(topology.pause));
  // The first order is the answer to what the followers had asked for already; nobody asks for the others.
  const first = place("first", 1);
  await comesTrue(() => small.answers.length > 5, ACKNOWLEDGED_LIMIT_MS, 5);
  const meanwhile = place("meanwhile", 20);
  await comesTrue(() => small.answers.length > 25, ACKNOWLEDGED_LIMIT_MS, 5);
  await topology.kill(leader);
  await Promise.all(followers.map(topology.unpause));

  await Promise.all([...first, ...meanwhile, ...place("after", 5)]);
  await topology.start(leader);
  expect(await topology.healthy(leader.service, 1)).toBe(true);
  return (await small.verdict()).verdict;
}

/** A partition with all its replicas: a customer whose orders go there, its leader, and the others. */
async function onePartition(): Promise<{ customer: string; leader: Container; followers: Container[] }> {
  const partitions = await wholePartitions();
  const { partition = -1, leader: leaderId = -1 } = partitions.find(({ topic }) => topic === "orders") ?? {};
  const customer = customerOf(partition);
  const containers = (await Promise.all(services.map((service) => topology.containers(service)))).flat();
  const isLeader = ({ service }: Container) => service === `kafka${leaderId}`;
  const leader = containers.find(isLeader);
  if (!leader) throw new Error(`there is no container of broker ${leaderId}`);
  return { customer, leader, followers: containers.filter((one) => !isLeader(one)) };
}

test("a producer that waits for every in-sync replica loses nothing with the leader", async () => {
  const verdict = await run("none");
  expect(verdict).toMatchObject({ held: true, lost: [], ledgerDuplicates: [], phantoms: [] });
  // Those that came just after may be refused, for want of replicas.
  expect(verdict.handled).toBeGreaterThanOrEqual(26);
});

test("a producer that is content with the leader's word is caught", async () => {
  const { held, lost } = await run("one-ack");
  expect(held).toBe(false);
  expect(lost.length).toBeGreaterThan(0);
  for (const { key, where } of lost) {
    // Those before and after had every replica's word. The first one's followers may have stood still just in time, too.
    expect(key).toMatch(/^one-ack-(first|meanwhile)-/);
    expect(where).toBe("not in the log");
  }
});

test("orders at the places of others that all brokers lost are handled, in a log that is as long as before", async () => {
  const env = { KAFKA_BROKERS: bootstrap(), PARTITIONER: "customer" };
  await using small = await startSmallSystem(server, env);
  await using ledger = new SQL({ url: small.env.LEDGER_URL, max: 1 });
  const { CONSUMER_GROUP: group, ORDERS_TOPIC: topic } = consumerConfig(small.env);
  const customer = customerOf(0);
  // One after the other, each in a batch of its own: what is cut are batches.
  async function place(name: string, count: number): Promise<void> {
    await using producer = await startProducer(small.env, "none");
    for (const key of keys(name, count)) await small.order(key, customer, [producer]);
  }
  const accepted = (name: string) =>
    small.answers.flatMap(({ key, fate, id }) =>
      key.startsWith(name) && fate === "accepted" && id ? [id] : [],
    );
  const handled = async (ids: string[]) => {
    const [row] =
      await ledger`SELECT count(*)::int AS n FROM ledger WHERE id = ANY(${ledger.array(ids, "TEXT")}::uuid[])`;
    return row.n;
  };

  const consumer = await small.startConsumer("none");
  await place("lost", 30);
  await until("all is handled", async () => (await handled(accepted("lost"))) === 30);
  const topics = openTopics(env.KAFKA_BROKERS);
  const written = (await topics.read(topic)).length;
  await until("all is committed", async () => (await topics.committed(group, topic)) === written);
  await consumer.kill();

  const system = await openSystem(topology);
  let cut = 0;
  await faults.truncate.inject(system, await system.containers("broker"), {
    cut: ({ records }) => (cut = records),
  });
  await faults.truncate.heal(system, await system.containers("broker"));
  for (const service of services) expect(await topology.healthy(service, 1)).toBe(true);
  expect(cut).toBeGreaterThan(0);
  await wholePartitions();

  await place("after", cut + 5);
  expect(accepted("after")).toHaveLength(cut + 5);
  await small.startConsumer("none");
  await until("all is handled", async () => (await handled(accepted("after"))) === cut + 5);
});
