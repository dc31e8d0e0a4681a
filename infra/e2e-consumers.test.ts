// Consumers on real containers that die, leave, freeze, multiply or lose their ledger, under one load that never stops:
// others take over in time, what was finished cleanly is never delivered again, and in the end each order that a
// client was promised is in the ledger once and has one effect. The outage of the ledger lasts 10 s here; the whole
// minute with E2E_OUTAGE_S=60.
import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import type { SQL } from "bun";
import { capture } from "../kit/capture.ts";
import { thisMachine } from "../kit/machine.ts";
import { freePorts } from "../kit/ports.ts";
import { until } from "../kit/until.ts";
import { openTopics, type Topics } from "../testing/kafka.ts";
import { type Load, startLoad } from "../testing/load.ts";
import { ensureImages } from "./images.ts";
import { e2eProject } from "./test/suites.ts";
import { type Container, openTopology, type Topology } from "./topology.ts";

const RATE_PER_S = 100;
const TAKEOVER_MS = 15_000;
/** So long before a fault it is looked how long an order takes on this machine without one. */
const CONTROL_MS = 10_000;
/** Longer than the group's session, so that the others take over, and than a transaction may lie idle. */
const FREEZE_MS = 20_000;
const OUTAGE_MS = Number(process.env.E2E_OUTAGE_S ?? 10) * 1_000;
const SETTLE_LIMIT_MS = 180_000;
const IMAGES_LIMIT_MS = 1_200_000;

setDefaultTimeout(300_000);

let topology: Topology;
let bootstrap: string;
let topics: Topics;
let ledger: SQL;
let load: Load;

beforeAll(async () => {
  await ensureImages(thisMachine(new AbortController().signal));
  const names = Object.keys(await openTopology({ project: e2eProject }).ports());
  await openTopology({ project: e2eProject }).down({ volumes: true, atOnce: true });
  topology = openTopology({ project: e2eProject, env: await freePorts(names) });
  const ports = await topology.ports();
  bootstrap = [1, 2, 3].map((broker) => `127.0.0.1:${ports[`KAFKA_PORT_${broker}`]}`).join(",");
  topics = openTopics(bootstrap);
  await topology.up();
  ledger = await topology.ledger();
  await membersAre(3);
  load = startLoad(ports.LB_PORT ?? 0, RATE_PER_S);
  await until("the load is steady", () => load.record.length > 10 * RATE_PER_S, 60_000);
}, IMAGES_LIMIT_MS + 300_000);

afterAll(async () => {
  await load?.stop();
  await ledger?.close();
  await Bun.write(
    join(import.meta.dir, "../out/e2e-consumers.log"),
    await topology.compose(["logs", "--no-color"]),
  );
  await topology.down({ volumes: true, atOnce: true });
}, 300_000);

// Each fault meets a group that has got over the last one, even over a test that failed.
afterEach(async () => {
  for (const one of await topology.containers("consumer")) {
    if (one.state === "paused") await topology.unpause(one);
    if (one.state === "exited") await topology.start(one);
  }
  await membersAre(3);
  await upToDate();
});

test("kill -9: the others handle its partitions within 15 s, and meet again at most its last second's", async () => {
  const before = await repeats();
  const usualMs = await usuallyMs();
  const victim = await consumer(0);
  const sinceMs = Date.now();
  await topology.kill(victim);
  const killedMs = Date.now();
  await membersAre(2);
  await upToDate();
  const [uncommitted] = await ledger`SELECT count(*)::int AS n FROM ledger
    WHERE handled_at BETWEEN ${new Date(sinceMs - 1_000)} AND ${new Date(killedMs)}`;
  expect(await longestMs(sinceMs)).toBeLessThan(TAKEOVER_MS + 3 * usualMs);
  expect((await repeats()) - before).toBeLessThanOrEqual(uncommitted.n);
});

test("SIGTERM of all three in turn: nothing is delivered again", async () => {
  const before = await repeats();
  for (const nth of [0, 1, 2]) {
    const victim = await consumer(nth);
    await topology.stop(victim);
    await until("it has ended by itself", async () => (await consumer(nth)).exitCode === 0);
    await topology.start(victim);
    await membersAre(3);
  }
  await upToDate();
  expect((await repeats()) - before).toBe(0);
});

test("frozen for 20 s and woken: the others take over in time, it comes back, and no offset goes back", async () => {
  const usualMs = await usuallyMs();
  const sinceMs = Date.now();
  const victim = await consumer(1);
  let highest = new Map<number, number>();
  const regressions: string[] = [];
  let looks = 0;
  const watch = async () => {
    // On a machine that is this busy the coordinator does not always answer in time; the next look will do.
    const now = await topics.committedOffsets("coffee-orders", "orders").catch(() => undefined);
    if (!now) return;
    looks += 1;
    for (const [partition, offset] of now)
      if (offset < (highest.get(partition) ?? 0))
        regressions.push(`${partition}: ${highest.get(partition)} → ${offset}`);
    highest = now;
  };
  await topology.pause(victim);
  await until(
    "it was frozen long enough",
    async () => {
      await watch();
      return Date.now() - sinceMs > FREEZE_MS;
    },
    2 * FREEZE_MS,
  );
  await topology.unpause(victim);
  await membersAre(3, watch);
  await upToDate();
  await watch();
  expect(looks).toBeGreaterThan(5);
  expect(regressions).toEqual([]);
  expect(await longestMs(sinceMs)).toBeLessThan(TAKEOVER_MS + 3 * usualMs);
});

test("the ledger is stopped for a while: no rebalance, no dead letter, and the backlog drains in twice that", async () => {
  const rebalances = await logged("rebalance");
  const [postgres] = await topology.containers("postgres");
  const sinceMs = Date.now();
  await topology.stop(postgres as Container);
  await until("the outage has lasted", () => Date.now() - sinceMs > OUTAGE_MS, 2 * OUTAGE_MS + 60_000);
  await topology.start(postgres as Container);
  const backMs = Date.now();
  await upToDate();
  // What comes while it drains is handled as soon as it has drained.
  expect(Date.now() - backMs).toBeLessThan(2 * (backMs - sinceMs));
  expect(await logged("rebalance")).toBe(rebalances);
  expect(await topics.read("orders.dead")).toEqual([]);
});

test("--scale consumer=6 and back under load: all share the partitions, and none is left without an owner", async () => {
  const before = await repeats();
  await topology.up(["--scale", "consumer=6"]);
  await membersAre(6);
  await upToDate();
  await topology.up(["--scale", "consumer=3"]);
  await membersAre(3);
  await upToDate();
  expect((await repeats()) - before).toBe(0);
});

test("dead letters are deleted for good, up to the time that is named", async () => {
  const at = (time: string) => ({
    value: "nobody can read this",
    headers: { "dead.at": time, "dead.reason": "test" },
  });
  await topics.put("orders.dead", [
    at("2026-01-01T00:00:00Z"),
    at("2026-02-01T00:00:00Z"),
    at("2026-03-01T00:00:00Z"),
  ]);
  const dead = async (...argv: string[]) =>
    (
      await capture([process.execPath, join(import.meta.dir, "../ops/dead/main.ts"), ...argv], {
        limitMs: 60_000,
        env: { KAFKA_BROKERS: bootstrap },
      })
    ).stdout.trim();
  expect(await dead("purge", "--before", "2026-02-15", "--yes")).toBe(
    "Deleted 2 dead letters of orders.dead.",
  );
  expect(JSON.parse(await dead("list", "--json")).letters).toMatchObject([
    { deadAt: "2026-03-01T00:00:00.000Z" },
  ]);
  expect(await dead("redrive", "--all")).toContain("1 sent to orders and acknowledged");
  await until(
    "its record is a dead letter again",
    async () => JSON.parse(await dead("list", "--json")).count === 2,
    SETTLE_LIMIT_MS,
  );
  expect(await dead("purge", "--all", "--yes")).toBe("Deleted 2 dead letters of orders.dead.");
  expect(await dead("list")).toBe("0 dead letters on orders.dead");
});

test("in the end each order that was accepted is in the ledger once, and has one effect", async () => {
  const told = await load.stop();
  // A machine that others use may hold less than the load: then some are refused, or nobody knows. What nobody knows may
  // be there, and no more than that.
  const fates = told.filter(({ status }) => status !== 202).map(({ fate }) => fate);
  for (const fate of fates) expect(["refused", "unknown"]).toContain(String(fate));
  const accepted = new Set(told.flatMap(({ id }) => id ?? []));
  expect(accepted.size).toBeGreaterThan(told.length / 2);
  await upToDate();
  const rows: { id: string; n: number }[] =
    await ledger`SELECT order_id AS id, count(*)::int AS n FROM tickets GROUP BY 1`;
  expect(rows.filter(({ n }) => n !== 1)).toEqual([]);
  const handled = new Set(rows.map(({ id }) => id));
  expect([...accepted].filter((id) => !handled.has(id))).toEqual([]);
  const unknown = fates.filter((fate) => fate !== "refused").length;
  expect(handled.size - accepted.size).toBeLessThanOrEqual(unknown);
  const [counted] = await ledger`SELECT count(*)::int AS n FROM ledger`;
  expect(counted.n).toBe(handled.size);
});

async function consumer(nth: number): Promise<Container> {
  return (await topology.containers("consumer"))[nth] as Container;
}

/** Deliveries of handled orders beyond the first of each record. */
async function repeats(): Promise<number> {
  const rows: { id: string; deliveries: number }[] =
    await ledger`SELECT id::text, deliveries FROM ledger WHERE deliveries > 1`;
  // On a busy machine a producer may have published an order twice: each copy is delivered once.
  const copies = Map.groupBy(await topics.read("orders"), ({ key }) => String(key));
  return rows.reduce(
    (sum, { id, deliveries }) => sum + Math.max(0, deliveries - (copies.get(id)?.length ?? 0)),
    0,
  );
}

/** From an order's acceptance to its effect, the longest among those accepted since then. */
async function longestMs(sinceMs: number): Promise<number> {
  const [row] = await ledger`SELECT extract(epoch FROM max(handled_at - placed_at)) * 1000 AS ms FROM ledger
    WHERE placed_at > ${new Date(sinceMs)}`;
  return Number(row.ms);
}

/** The same of those that were handled last, with no fault. */
async function usuallyMs(): Promise<number> {
  const [row] = await ledger`SELECT extract(epoch FROM max(handled_at - placed_at)) * 1000 AS ms FROM ledger
    WHERE handled_at > ${new Date(Date.now() - CONTROL_MS)}`;
  expect(row.ms).not.toBeNull();
  return Number(row.ms);
}

/** Waits until every order that was accepted by now is handled. */
async function upToDate(): Promise<void> {
  const accepted = load.record.flatMap(({ id }) => id ?? []);
  await until(
    "every order accepted by now is handled",
    async () => {
      const rows = await ledger`SELECT id::text FROM ledger`.catch(() => []);
      const handled = new Set(rows.map(({ id }: { id: string }) => id));
      return accepted.every((id) => handled.has(id));
    },
    SETTLE_LIMIT_MS,
  );
}

/** How often all consumers together logged this. */
async function logged(message: string): Promise<number> {
  const lines = await topology.compose(["logs", "--no-color", "--no-log-prefix", "consumer"]);
  return lines.split("\n").filter((line) => line.includes(`"msg":"${message}"`)).length;
}

/** Waits until so many consumers own all partitions, none without any. */
async function membersAre(members: number, meanwhile: () => Promise<void> = async () => {}): Promise<void> {
  const ask =
    "exec 3<>/dev/tcp/127.0.0.1/3001; printf 'GET /metrics HTTP/1.0\\r\\nHost: x\\r\\n\\r\\n' >&3; grep -a ^kafka_partitions_owned <&3";
  await until(
    `${members} consumers share the partitions`,
    async () => {
      await meanwhile();
      const running = (await topology.containers("consumer")).filter(({ state }) => state === "running");
      const told = await Promise.all(
        running.map((one) => topology.exec(one, ["bash", "-c", ask]).catch(() => "")),
      );
      const owned = told.map((line) => Number(/ (\d+)\s*$/.exec(line)?.[1] ?? 0));
      return (
        owned.length === members && owned.every((one) => one > 0) && owned.reduce((a, b) => a + b, 0) === 12
      );
    },
    SETTLE_LIMIT_MS,
  );
}
