// The stage before the topology on containers, as `make up` starts it, in a real browser: a click kills the broker that
// decides who leads, and the page shows that leaders move and nothing is lost.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { ensureImages } from "../infra/images.ts";
import { endService, startService } from "../infra/stage-service.ts";
import { e2eProject } from "../infra/test/suites.ts";
import { openTopology, type Topology } from "../infra/topology.ts";
import { type Machine, thisMachine } from "../kit/machine.ts";
import { freePorts } from "../kit/ports.ts";
import { until } from "../kit/until.ts";
import type { StageState } from "../page/state.ts";
import { openPage, startBrowser } from "./testing/browser.ts";
import { reads } from "./testing/on-page.ts";

const recoverLimitMs = 90_000;
const imagesLimitMs = 1_200_000;
setDefaultTimeout(300_000);

let topology: Topology;
let machine: Machine;
let url: string;
let browser: Browser;
let opened: Awaited<ReturnType<typeof openPage>>;
let page: Page;
beforeAll(async () => {
  machine = thisMachine();
  await ensureImages(machine);
  const names = Object.keys(await openTopology({ project: e2eProject }).ports());
  await openTopology({ project: e2eProject }).down({ volumes: true, atOnce: true });
  const env = await freePorts([...names, "STAGE_PORT"]);
  topology = openTopology({ project: e2eProject, env });
  await topology.up();
  url = await startService({ ...machine, env: { ...machine.env, ...env } }, e2eProject);
  browser = await startBrowser();
  opened = await openPage(browser, url);
  page = opened.page;
  await until("all are up", async () => (await notUp()).length === 0, recoverLimitMs);
}, imagesLimitMs + 300_000);

afterAll(async () => {
  await browser?.close();
  await endService(machine, e2eProject);
  const logs = await topology.compose(["logs", "--no-color"]);
  await Bun.write(join(import.meta.dir, "../out/e2e-stage.log"), logs);
  await topology.down({ volumes: true, atOnce: true });
}, 300_000);

/** The state as another page would have it. */
async function state(): Promise<StageState> {
  const { origin, port, searchParams } = new URL(url);
  const headers = { cookie: `stage-${port}=${searchParams.get("token")}` };
  return (await (await fetch(`${origin}/state`, { headers })).json()) as StageState;
}
const notUp = async () => {
  const all = Object.entries((await state()).instances);
  return all.length < 14 ? ["too few"] : all.filter(([, one]) => one.state !== "up").map(([name]) => name);
};
const leaders = async () => new Set(Object.values((await state()).partitions).map(({ leader }) => leader));
const press = (name: string) => page.getByRole("button", { name, exact: true }).click();
const shows = (name: string, is: string) =>
  page.locator(`[data-node="${name}"].${is}`).waitFor({ timeout: recoverLimitMs });
const handled = async () => (await state()).verdict.handled;

/** Orders go on; or it says after how long they did not. */
async function goesOn(): Promise<void> {
  const before = await handled();
  await until("more orders are handled", async () => (await handled()) > before + 50, recoverLimitMs);
}

/** Everything is healed by the page, and whole. */
async function heal(): Promise<void> {
  await press("Heal everything");
  await until("all are up", async () => (await notUp()).length === 0, recoverLimitMs);
  const inSync = async () =>
    Object.values((await state()).partitions).every((one) => one.inSync.length === 3);
  await until("every replica is in sync", inSync, recoverLimitMs);
}

test("every tier is there, each with its role", async () => {
  const { instances, partitions, controller } = await state();
  const of = (tier: string) => Object.values(instances).filter((one) => one.tier === tier);
  expect(
    ["balancer", "producer", "broker", "zookeeper", "consumer", "ledger"].map((tier) => of(tier).length),
  ).toEqual([1, 3, 3, 3, 3, 1]);
  await until("ZooKeeper's roles are known", async () => {
    const roles = Object.values((await state()).instances).map(({ role }) => role);
    return roles.filter((role) => role === "follower").length === 2 && roles.includes("leader");
  });
  expect(instances[`kafka${controller}`]?.role).toBe("controller");
  expect(Object.keys(partitions)).toHaveLength(12);
});

test("a click kills the controller: leaders move, orders go on, nothing is lost", async () => {
  await press("Send orders");
  await until("orders are handled", async () => (await handled()) > 100, recoverLimitMs);
  const { controller } = await state();
  await page.locator(`[data-node="kafka${controller}"]`).click();
  await press("Kill -9");
  await shows(`kafka${controller}`, "down");
  await reads(page, ".outcome code", `bun run chaos kill broker --nth ${controller}`);
  const moved = async () => {
    const now = await leaders();
    return !now.has(controller) && !now.has(-1);
  };
  await until("its partitions have other leaders", moved, recoverLimitMs);
  await goesOn();
  await reads(page, ".timeline", /are led by kafka\d, epoch \d/, recoverLimitMs);
  await heal();
});

test("a second broker is not killed with the guard on", async () => {
  await page.locator('[data-node="kafka1"]').click();
  await press("Pause");
  await shows("kafka1", "paused");
  await page.locator('[data-node="kafka2"]').click();
  await press("Kill -9");
  await reads(page, ".outcome .failed", "The guard keeps 2 of tier broker up");
  await heal();
});

test("a producer more takes its part, and goes again", async () => {
  await press("Producers");
  await press("Scale to 4");
  await shows("producer-4", "up");
  const takes = async () => ((await state()).instances["producer-4"]?.ratePerS ?? 0) > 0;
  await until("it takes orders", takes, recoverLimitMs);
  await press("Scale to 3");
  await until("it is gone", async () => !(await state()).instances["producer-4"], recoverLimitMs);
});

test("in the end every order is settled, and nothing was lost, doubled or made up", async () => {
  await press("Pause the load");
  const settled = async () => {
    const { sent, settled: all } = (await state()).verdict;
    return sent > 0 && sent === all;
  };
  await until("every order is settled", settled, recoverLimitMs);
  const { verdict } = await state();
  expect(verdict).toMatchObject({ status: "good", lost: 0, doubled: 0, phantom: 0, waiting: 0 });
  expect(verdict.handled).toBe(verdict.accepted);
  // The guard's refusal; and what Chromium does to its connections when a container's network comes or goes.
  const meant = /409|ERR_NETWORK_CHANGED/;
  expect(opened.complaints.filter((text) => !meant.test(text))).toEqual([]);
});

test("who is told to end it ends it", async () => {
  await endService(machine, e2eProject);
  await page.locator(".offline").waitFor();
  await endService(machine, e2eProject);
});
