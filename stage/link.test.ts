// The link with the token, from wherever it is opened.
import { expect, test } from "bun:test";
import { serveStage } from "./server.ts";
import { openStage } from "./stage.ts";
import { openPage, startBrowser } from "./testing/browser.ts";
import { createFeed } from "./testing/feed.ts";

test("leads to the stage from another site's page too, as of a terminal on the web", async () => {
  const stage = openStage(createFeed(0).source);
  const served = await serveStage(stage, { port: 0, token: "a-token-of-the-test" });
  const shown = { headers: { "content-type": "text/html" } };
  using site = Bun.serve({
    ...{ hostname: "127.0.0.1", port: 0 },
    fetch: () =>
      new Response(`<p class="diagram">of another</p><a href="${served.url}">the stage</a>`, shown),
  });
  const browser = await startBrowser();
  try {
    // To a browser another site than 127.0.0.1.
    const { page } = await openPage(browser, `http://localhost:${site.port}/`);
    await page.getByRole("link", { name: "the stage" }).click();
    await page.locator(".card").first().waitFor();
    expect(page.url()).toBe(new URL("/", served.url).href);
  } finally {
    await browser.close();
    await served.stop();
    await stage.close();
  }
}, 120_000);
