// The page from a file, whatever that has: texts of others, nothing, or one second; and by whose clock it tells times.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { until } from "../kit/until.ts";
import { openPage, startBrowser } from "../stage/testing/browser.ts";
import { violations } from "../stage/testing/on-page.ts";
import { documentOf } from "./document.ts";
import type { Recording } from "./recording.ts";
import type { Sample, StageState } from "./state.ts";

let folder: string;
let browser: Browser;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "coffee-orders-page-"));
  browser = await startBrowser();
}, 60_000);
afterAll(async () => {
  await browser.close();
  rmSync(folder, { recursive: true });
});

const atMs = Date.parse("2026-07-01T20:00:00Z");
const hostile = `</script><!--<script>document.title='owned'</script><img src=x onerror="document.title='owned'">\u202e]]>`;
const hostileShown = hostile.replace("\u202e", "\ufffd");
const nothing = { ratePerS: 0 };
const state: StageState = {
  ...{ kind: "containers", readOnly: false, atMs, controller: 1 },
  instances: { kafka1: { tier: "broker", state: "unready", why: hostile, struck: [], role: "" } },
  partitions: {},
  edges: { placed: nothing, balanced: nothing, appended: nothing, polled: nothing, handled: nothing },
  group: { state: "", members: 0 },
  load: { ratePerS: 0, paused: true, mix: "single", answeredPerS: 0, open: 0 },
  verdict: {
    ...{ status: "idle", why: "", sent: 0, accepted: 0, refused: 0, unknown: 0, handled: 0, waiting: 0 },
    ...{ oldestS: 0, redelivered: 0, dead: 0, lost: 0, doubled: 0, phantom: 0, mistaken: 0, settled: 0 },
  },
  events: { 1: { atMs, kind: "strike", text: hostile } },
  bands: { 1: { fault: "kill", target: hostile, fromMs: atMs - 500 } },
  ...{ faults: {}, withheld: {}, rolling: [], scalable: [] },
};

async function opened(samples: Sample[], changes: Partial<Recording> = {}) {
  const path = join(folder, `${crypto.randomUUID()}.html`);
  const recording = { title: hostile, about: hostile, state, samples, past: [], ...changes };
  await Bun.write(path, await documentOf(recording));
  return openPage(browser, `file://${path}`, { timezoneId: "Asia/Kolkata" });
}

test("no text of a file is markup, steers how others are read, or runs", async () => {
  const { page, complaints } = await opened([[atMs, 1, 1, 0, 5]]);
  expect(await page.title()).toBe(hostile);
  expect(await page.locator("h1 small").textContent()).toBe(hostileShown);
  expect(await page.locator(".timeline li").textContent()).toContain(hostileShown);
  expect(await page.locator(".struck li").textContent()).toBe(`kill ${hostileShown}, 01:29:59 – the end`);
  expect(await page.locator("#stage img, #stage script").count()).toBe(0);
  expect(complaints).toEqual([]);
  expect(await violations(page)).toEqual([]);
}, 60_000);

test("times are those of who reads it, and it says which these are", async () => {
  const { page } = await opened([]);
  expect(await page.locator(".top .quiet").textContent()).toBe("a file: as it was; times are GMT+5:30");
}, 60_000);

test("with one second or none it shows the time that it is of, and not today", async () => {
  const bands = { 1: { fault: "kill", target: "kafka1", fromMs: atMs - 500, toMs: atMs - 100 } };
  for (const samples of [[], [[atMs, 1, 1, 0, 5]]] satisfies Sample[][]) {
    const { page, complaints } = await opened(samples, { state: { ...state, bands } });
    expect(await page.getByLabel("Scroll back").getAttribute("max")).toBe(String(atMs));
    // It was struck within the last second.
    expect(await page.locator(".struck li").count()).toBe(1);
    expect(await page.locator(".sentence").textContent()).toContain("The stage itself sent no order.");
    expect(await page.locator("main").textContent()).not.toMatch(/NaN|Infinity|undefined/);
    expect(complaints).toEqual([]);
  }
}, 60_000);

test("its plots take the colours of the scheme when that changes, though nothing else does", async () => {
  const { page } = await opened([[atMs, 1, 1, 0, 5]]);
  const drawn = () => page.evaluate<string>(`document.querySelector(".plots canvas").toDataURL()`);
  const before = await drawn();
  await page.emulateMedia({ colorScheme: "dark" });
  await until("it is drawn anew", async () => (await drawn()) !== before, 20_000);
}, 60_000);
