// The promise on real containers: while brokers, ZooKeeper nodes and consumers are stopped and killed under load, no
// client sees a failure, and each accepted order is in the ledger exactly once and has exactly one effect. On a
// topology of its own, beside one that may be running; nothing of it stays.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { must } from "../kit/capture.ts";
import { thisMachine } from "../kit/machine.ts";
import { freePorts } from "../kit/ports.ts";
import { comesTrue } from "../kit/until.ts";
import { kafkaConfig } from "../src/config.ts";
import { openProducer } from "../src/kafka/producer.ts";
import { openTopics, type StoredRecord } from "../testing/kafka.ts";
import { type Load, startLoad, type Told } from "../testing/load.ts";
import { recipeOf } from "./images/recipe.ts";
import { ensureImages } from "./images.ts";
import { e2eProject } from "./test/suites.ts";
import { type Container, openTopology, type Topology } from "./topology.ts";

const RATE_PER_S = 100;
/** What passes between one fault and the next, in orders that are answered. */
const ORDERS_PER_FAULT = 300;
const SETTLE_LIMIT_MS = 60_000;
const POLL_MS = 1_000;
const TEST_LIMIT_MS = 300_000;
const IMAGES_LIMIT_MS = 1_200_000;

let topology: Topology;
let ports: Record<string, number>;
let bootstrap: string;

beforeAll(async () => {
  await ensureImages(thisMachine(new AbortController().signal));
  const project = e2eProject;
  const names = Object.keys(await openTopology({ project }).ports());
  // Whatever an interrupted run left behind goes first: it may hold the ports.
  await openTopology({ project }).down({ volumes: true, atOnce: true });
  topology = openTopology({ project, env: await freePorts(names) });
  ports = await topology.ports();
  bootstrap = [1, 2, 3].map((broker) => `127.0.0.1:${ports[`KAFKA_PORT_${broker}`]}`).join(",");
  await topology.up();
}, IMAGES_LIMIT_MS + TEST_LIMIT_MS);

afterAll(async () => {
  await Bun.write(join(import.meta.dir, "../out/e2e.log"), await topology.compose(["logs", "--no-color"]));
  await topology.down({ volumes: true, atOnce: true });
}, TEST_LIMIT_MS);

test("all of it is there", async () => {
  const services = (await topology.containers()).map(({ service }) => service);
  expect(count(services)).toEqual({
    ...{ zookeeper1: 1, zookeeper2: 1, zookeeper3: 1, kafka1: 1, kafka2: 1, kafka3: 1, topics: 1 },
    ...{ postgres: 1, haproxy: 1, producer: 3, consumer: 3 },
  });
});

describe("every container", () => {
  test("is bounded, unprivileged, and ends only after its work", async () => {
    for (const { service, details } of await inspected()) {
      const { HostConfig: host, Config: config } = details;
      expect({ service, readOnly: host.ReadonlyRootfs }).toEqual({ service, readOnly: true });
      expect({ service, dropped: host.CapDrop, added: host.CapAdd }).toEqual({
        service,
        dropped: ["ALL"],
        added: null,
      });
      expect(host.SecurityOpt).toContain("no-new-privileges:true");
      expect(host.Memory).toBeGreaterThan(0);
      expect(host.PidsLimit).toBeGreaterThan(0);
      expect(host.LogConfig.Config["max-size"]).toBeDefined();
      expect(host.RestartPolicy.Name).toBe(service === "topics" ? "no" : "unless-stopped");
      if (["producer", "consumer"].includes(service)) expect(config.StopTimeout).toBeGreaterThan(30);
    }
  });

  test("publishes to this machine alone", async () => {
    const bound = (await inspected()).flatMap(({ details }) =>
      Object.values(details.HostConfig.PortBindings).flat(),
    );
    const addresses = bound.map((port) => (port as { HostIp: string }).HostIp);
    expect(count(addresses)).toEqual({ "127.0.0.1": Object.keys(ports).length });
  });

  test("that is a broker has its classes from the image's archive", async () => {
    const broker = await containerOf("kafka1");
    const image = (await inspected()).find(({ service }) => service === "kafka1")?.details.Config.Image;
    // An official image has an archive of its own, which may not suit this class path.
    if ((await recipeOf(image)) === "") return;
    expect(await topology.exec(broker, ["cat", "/proc/1/maps"])).toContain("/opt/kafka/kafka.jsa");
  });

  test("runs without root, and can't write to its root", async () => {
    for (const container of (await topology.containers()).filter(({ state }) => state === "running")) {
      const found = await topology.exec(container, ["sh", "-c", "id -u; touch /etc/e2e /e2e 2>&1 || true"]);
      expect({ service: container.service, root: /^0$/m.test(found) }).toMatchObject({ root: false });
      expect(found.match(/Read-only file system/g)).toHaveLength(2);
    }
  });
});

test(
  "stopped and killed under load: nothing fails, nothing is lost, nothing happens twice",
  async () => {
    await using load = startLoad(ports.LB_PORT ?? 0, RATE_PER_S);
    await passed(load);
    for (const [nth, end] of (["stop", "kill"] as const).entries()) {
      // Of each tier another one than in the round before, and never two: a majority is left of each.
      const victims = await Promise.all([
        containerOf(`zookeeper${nth + 1}`),
        containerOf(`kafka${nth + 1}`),
        containerOf("consumer", nth),
      ]);
      for (const victim of victims) {
        await topology[end](victim);
        await passed(load);
      }
      for (const victim of victims) await topology.start(victim);
      await eventually("every replica is in sync again", isWhole);
      await ownersAre(3);
    }
    await allHandledOnce(load);
  },
  TEST_LIMIT_MS,
);

test(
  "with two brokers down no order is accepted and they are refused for that; with them back it resumes by itself",
  async () => {
    const brokers = await Promise.all(["kafka1", "kafka2"].map((service) => containerOf(service)));
    for (const broker of brokers) await topology.stop(broker);
    await using load = startLoad(ports.LB_PORT ?? 0, RATE_PER_S / 10);
    await eventually("orders are refused for that", () =>
      load.record.some(({ status, problem }) => status === 503 && problem?.endsWith(":too_few_replicas")),
    );
    expect(load.record.filter(({ status }) => status === 202)).toEqual([]);
    for (const broker of brokers) await topology.start(broker);
    await eventually("orders are accepted again", () => load.record.some(({ status }) => status === 202));
    await eventually("every replica is in sync again", isWhole);
    // Each producer looks for itself, and says so to whoever comes before it has.
    const since = load.record.length;
    await eventually("no producer refuses orders any more", () => {
      const last = load.record.slice(since).slice(-RATE_PER_S / 2);
      return last.length === RATE_PER_S / 2 && last.every(({ status }) => status === 202);
    });
    const told = await load.stop();
    const others = told.filter(({ status }) => status !== 202);
    for (const { fate } of others) expect(["refused", "unknown"]).toContain(String(fate));
    await handledOnce(told);
  },
  TEST_LIMIT_MS,
);

test(
  "more consumers with --scale, and fewer again: partitions move, nothing is lost or happens twice",
  async () => {
    await using load = startLoad(ports.LB_PORT ?? 0, RATE_PER_S);
    await topology.up(["--scale", "consumer=4"]);
    await ownersAre(4);
    await passed(load);
    await topology.up();
    await ownersAre(3);
    await passed(load);
    await allHandledOnce(load);
  },
  TEST_LIMIT_MS,
);

test(
  "a record that nobody can read goes to the dead letters with its bytes unchanged",
  async () => {
    const topics = openTopics(bootstrap);
    const key = Buffer.from([0xff, 0x00, 0xfe]);
    const value = Buffer.from([0x00, 0x01, 0xff, 0x7b, 0x80]);
    const [offset] = await topics.put("orders", [{ key, value, partition: 7 }]);
    let dead: StoredRecord | undefined;
    await eventually("the record is a dead letter", async () => {
      dead = (await topics.read("orders.dead")).find((record) => record.value?.equals(value));
      return dead !== undefined;
    });
    expect(dead?.key).toEqual(key);
    expect(Object.values(dead?.headers ?? {})).toContain(String(offset));
  },
  TEST_LIMIT_MS,
);

async function eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  if (!(await comesTrue(holds, SETTLE_LIMIT_MS, POLL_MS)))
    throw new Error(`not within ${SETTLE_LIMIT_MS} ms: ${what}`);
}

/** Waits until so many more orders were answered. */
function passed(load: Load): Promise<void> {
  const wanted = load.record.length + ORDERS_PER_FAULT;
  return eventually(`${ORDERS_PER_FAULT} more orders are answered`, () => load.record.length >= wanted);
}

/** Whether every replica is in sync, so that the next fault meets a majority. */
async function isWhole(): Promise<boolean> {
  const producer = await openProducer(kafkaConfig({ KAFKA_BROKERS: bootstrap }), {
    deliveryTimeoutMs: 5_000,
  }).catch(() => undefined);
  try {
    const { partitions = [] } = (await producer?.metadata("orders", 5_000)) ?? {};
    return partitions.length > 0 && partitions.every(({ replicas, isrs }) => replicas.length === isrs.length);
  } finally {
    await producer?.close(0);
  }
}

/** Waits until so many consumers share the partitions, none without any. */
async function ownersAre(members: number): Promise<void> {
  const ask = `console.log(await (await fetch("http://127.0.0.1:3001/metrics")).text())`;
  await eventually(`${members} consumers share the partitions`, async () => {
    const running = (await topology.containers("consumer")).filter(({ state }) => state === "running");
    const metrics = await Promise.all(
      running.map((one) => topology.exec(one, ["bun", "-e", ask]).catch(() => "")),
    );
    const owned = metrics.map((text) =>
      Number(/^kafka_partitions_owned(?:\{.*\})? (\d+)/m.exec(text)?.[1] ?? 0),
    );
    return owned.length === members && owned.every((one) => one > 0) && owned.reduce((a, b) => a + b) === 12;
  });
}

/** Ends the load, of which every order was accepted, and each handled once. */
async function allHandledOnce(load: Load): Promise<void> {
  const told = await load.stop();
  expect(count(told.map(({ status, problem, failure }) => String(failure ?? problem ?? status)))).toEqual({
    202: told.length,
  });
  await handledOnce(told);
}

/** Holds the client's record against the ledger and the effects. */
async function handledOnce(told: readonly Told[]): Promise<void> {
  const accepted = told.flatMap(({ status, id }) => (status === 202 ? [id ?? ""] : []));
  expect(new Set(accepted).size).toBe(accepted.length);

  await using ledger = await topology.ledger();
  const rows = (table: "ledger" | "tickets"): Promise<{ id: string; times: number }[]> =>
    table === "ledger"
      ? ledger`SELECT id::text, count(*)::int AS times FROM ledger GROUP BY id`
      : ledger`SELECT order_id AS id, count(*)::int AS times FROM tickets GROUP BY order_id`;
  await eventually("every accepted order is in the ledger", async () => {
    const handled = new Set((await rows("ledger")).map(({ id }) => id));
    return accepted.every((id) => handled.has(id));
  });
  for (const table of ["ledger", "tickets"] as const) {
    const times = new Map((await rows(table)).map((row) => [row.id, row.times]));
    expect(accepted.filter((id) => times.get(id) !== 1)).toEqual([]);
    expect([...times.values()].filter((once) => once !== 1)).toEqual([]);
  }
}

async function inspected() {
  const containers = await topology.containers();
  const printed = await must(["docker", "inspect", ...containers.map(({ id }) => id)], { limitMs: 30_000 });
  const details = JSON.parse(printed);
  return containers.map(({ service }, index) => ({ service, details: details[index] }));
}

function count(values: string[]): Record<string, number> {
  return Object.fromEntries(
    Map.groupBy(values, (value) => value)
      .entries()
      .map(([value, all]) => [value, all.length]),
  );
}

async function containerOf(service: string, nth = 0): Promise<Container> {
  const container = (await topology.containers(service))[nth];
  if (!container) throw new Error(`${service} has no container ${nth}`);
  return container;
}
