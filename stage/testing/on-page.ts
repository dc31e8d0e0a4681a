/** What a test does with the page of a stage, and sees of it. */
import { afterAll, afterEach, beforeAll, expect } from "bun:test";
import { readFileSync } from "node:fs";
import type { Browser, Page } from "playwright-core";
import { openPage, startBrowser, waitLimitMs } from "./browser.ts";
import { startEmbeddedStage } from "./embedded-stage.ts";

const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const limitMs = 180_000;

/** For one test file: a browser and an embedded stage; after each test no page may have complained. */
export function pagesOfTests(options: Parameters<typeof startEmbeddedStage>[0] = {}) {
  let browser: Browser;
  let embedded: Awaited<ReturnType<typeof startEmbeddedStage>>;
  let opened: Awaited<ReturnType<typeof openPage>>[] = [];
  let meant: RegExp | undefined;
  beforeAll(async () => {
    [browser, embedded] = await Promise.all([startBrowser(), startEmbeddedStage(options)]);
  }, limitMs);
  afterAll(async () => {
    await browser?.close();
    await embedded?.[Symbol.asyncDispose]();
  }, limitMs);
  afterEach(async () => {
    const all = opened.flatMap(({ complaints }) => complaints).filter((text) => !meant?.test(text));
    for (const { close } of opened) await close();
    [opened, meant] = [[], undefined];
    expect(all).toEqual([]);
  });
  return {
    embedded: () => embedded,
    /** What the browser itself says of a refused action or a broken stream, where the test means it. */
    mean(complaint: RegExp): void {
      meant = complaint;
    },
    async open(contextOptions: Parameters<typeof openPage>[2] = {}): Promise<Page> {
      const one = await openPage(browser, embedded.url, contextOptions);
      opened.push(one);
      return one.page;
    },
  };
}

export const figure = async (page: Page, name: string): Promise<number> => {
  const text = await page
    .locator(".figures div", { has: page.locator(`dt:text-is("${name}")`) })
    .locator("dd")
    .textContent();
  return Number(text?.split(" ")[0]?.replaceAll(",", ""));
};
export const card = (page: Page, name: string) => page.locator(`[data-node="${name}"]`);
export const isState = (page: Page, name: string, state: string) =>
  page.locator(`[data-node="${name}"].${state}`).waitFor();
/** Waits until the page says it: it does some time after the server knows, where the machine is busy. */
export const reads = (page: Page, selector: string, hasText: string | RegExp, timeout = waitLimitMs) =>
  page.locator(selector).filter({ hasText }).waitFor({ timeout });
export const press = (page: Page, name: string) => page.getByRole("button", { name, exact: true }).click();

/** The violations that axe-core finds, in words. */
export async function violations(page: Page): Promise<string[]> {
  // Past the page's own policy, as a debugger may.
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const { violations: found } = await (
      globalThis as unknown as { axe: { run(): Promise<AxeResult> } }
    ).axe.run();
    return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  });
}
type AxeResult = { violations: { id: string; nodes: { html: string }[] }[] };
