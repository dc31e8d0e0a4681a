/** Debian's Chromium without a window, by playwright-core: what a page logs or throws is kept for the test to look at. */

import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { browsers } from "../../infra/setup/requirements.ts";

/** As long as `until` has, and twice what Playwright gives: the machine is busy. */
export const waitLimitMs = 60_000;

/** Starts it. @throws Error when there is none */
export function startBrowser(): Promise<Browser> {
  const executablePath = browsers.flatMap((name) => Bun.which(name) ?? [])[0];
  if (!executablePath) throw new Error(`no browser here: ${browsers.join(", ")}`);
  // Root may not have a sandbox; the page is ours.
  return chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ["--no-sandbox"] : [] });
}

/** A page of its own session, and every complaint of it so far. */
export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
  shows = ".diagram",
) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  context.setDefaultTimeout(waitLimitMs);
  const page: Page = await context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("pageerror", ({ message }) => complaints.push(message));
  await page.goto(url);
  await page.waitForSelector(shows);
  return { page, complaints, close: () => context.close() };
}
