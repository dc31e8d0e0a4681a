// The stream of a stage: to a page that does not read it, and of a stage that does not write it.

import { heapStats } from "bun:jsc";
import { expect, test } from "bun:test";
import { connect } from "node:net";
import { until } from "../kit/until.ts";
import { serveStage } from "./server.ts";
import type { Seen } from "./sources/source.ts";
import { openStage } from "./stage.ts";
import { openPage, startBrowser } from "./testing/browser.ts";
import { createFeed } from "./testing/feed.ts";

const token = "a-token-of-the-test";
/** Each with words of 300 characters, so that all of them together are a megabyte. */
const instances = 3_000;
const mb = 2 ** 20;
const heapMb = () => {
  Bun.gc(true);
  return heapStats().heapSize / mb;
};

test("of a stage that stands still: the page says so, and that it goes on", async () => {
  const { source } = createFeed(0);
  let standing: Promise<void> | undefined;
  const stage = openStage({
    ...source,
    async look() {
      await standing;
      return source.look();
    },
  });
  const served = await serveStage(stage, { port: 0, token });
  const { promise, resolve: goOn } = Promise.withResolvers<void>();
  const browser = await startBrowser();
  try {
    const { page } = await openPage(browser, served.url);
    await page.locator(".offline").waitFor({ state: "detached" });
    standing = promise;
    await page.locator(".offline").waitFor({ timeout: 60_000 });
    goOn();
    await page.locator(".offline").waitFor({ state: "detached" });
  } finally {
    goOn();
    await browser.close();
    await served.stop();
    await stage.close();
  }
}, 120_000);

test("is ended when that is too far behind, and no more is kept for it", async () => {
  const { source } = createFeed(0);
  let changed = () => {};
  let looks = 0;
  const stage = openStage({
    ...source,
    // A great change at each look, and always a next one.
    async look() {
      const { seen, log } = await source.look();
      looks += 1;
      setTimeout(changed);
      const [first] = seen;
      const why = `${looks}`.repeat(300);
      const many = Array.from({ length: instances }, (_, n) => ({ ...(first as Seen), name: `${n}`, why }));
      return { seen: many, log };
    },
    onChange: (hear) => {
      changed = hear;
    },
  });
  const { port, stop } = await serveStage(stage, { port: 0, token });
  const page = connect(port, "127.0.0.1");
  try {
    page.write(`GET /events HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nCookie: stage-${port}=${token}\r\n\r\n`);
    page.pause();
    await until("much waits for it", () => heapMb() > 40);
    const before = looks;
    let mostMb = 0;
    await until(
      "much more has come",
      () => {
        mostMb = Math.max(mostMb, heapMb());
        return looks > before + 250;
      },
      120_000,
    );
    // What waited, as much that Bun may have taken to send, and the past that a stage keeps.
    expect(mostMb).toBeLessThan(150);
    const ended = new Promise((resolve) => page.once("close", resolve));
    page.resume();
    await ended;
  } finally {
    page.destroy();
    await stop();
    await stage.close();
  }
}, 240_000);
