// What others say, of whatever length and in whatever direction, breaks no page.
import { expect, test } from "bun:test";
import { until } from "../kit/until.ts";
import { serveStage } from "./server.ts";
import { openStage } from "./stage.ts";
import { openPage, startBrowser } from "./testing/browser.ts";
import { createFeed } from "./testing/feed.ts";

const words = `<b>\u202egnp ${"x".repeat(10_000)}`;

test("on a phone and on a desk nothing is cut off, and a text looks like what it is", async () => {
  const { source, flow } = createFeed(20);
  const stage = openStage({
    ...source,
    async look() {
      const { seen, log } = await source.look();
      return { seen: seen.map((one) => (one.tier === "producer" ? { ...one, why: words } : one)), log };
    },
    evidence: { ...source.evidence, look: () => Promise.reject(new Error(words)) },
  });
  const stop = flow(stage);
  const served = await serveStage(stage, { port: 0, token: "a-token-of-the-test" });
  const browser = await startBrowser();
  try {
    await until("it can't be known", () => stage.state().verdict.status === "blind");
    for (const width of [360, 1_280]) {
      const { page, close } = await openPage(browser, served.url, { viewport: { width, height: 800 } });
      await page.locator('[data-node="producer-1"]').click();
      await page.locator(".table summary").click();
      const root = "document.documentElement";
      expect(await page.evaluate(`${root}.scrollWidth - ${root}.clientWidth`)).toBe(0);
      for (const place of [".verdict", ".card", ".inspector", ".tables"])
        await page.locator(place, { hasText: "<b>\ufffdgnp xx" }).first().waitFor();
      expect(await page.locator("body").textContent()).not.toContain("\u202e");
      await close();
    }
  } finally {
    stop();
    await browser.close();
    await served.stop();
    await stage.close();
  }
}, 120_000);
