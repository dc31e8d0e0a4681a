/**
 * What the stage itself costs, at a rate that this machine could not carry beside the topology: the feed, one page.
 * `bun stage/testing/measure.ts [ORDERS_PER_S] [SECONDS]`. The page's figures are of its main thread; the server's of this
 * process, less what the feed takes that it would have of clients and ledger.
 */
import { serveStage } from "../server.ts";
import { openStage } from "../stage.ts";
import { openPage, startBrowser } from "./browser.ts";
import { createFeed } from "./feed.ts";

const [ratePerS = 2_000, seconds = 30] = Bun.argv.slice(2).map(Number);
const warmS = 35;

const feed = createFeed(ratePerS);
const stage = openStage(feed.source);
const stop = feed.flow(stage);
const served = await serveStage(stage, { port: 0, token: "measured" });
const browser = await startBrowser();
const { page } = await openPage(browser, served.url);
const session = await page.context().newCDPSession(page);
await session.send("Performance.enable", { timeDomain: "threadTicks" });
await page.evaluate(
  "window.frames_ = 0; (function count() { frames_ += 1; requestAnimationFrame(count); })()",
);

/** Cumulative: seconds of the page's tasks, its heap, frames; CPU of this process. */
async function reading() {
  const { metrics } = await session.send("Performance.getMetrics");
  const of = (name: string) => metrics.find((metric) => metric.name === name)?.value ?? 0;
  const { user, system } = process.cpuUsage();
  return {
    tasksS: of("TaskDuration"),
    heapMb: of("JSHeapUsedSize") / 2 ** 20,
    frames: Number(await page.evaluate("frames_")),
    cpuS: (user + system) / 1e6,
    rssMb: process.memoryUsage.rss() / 2 ** 20,
  };
}

// Until the first orders are settled, so that all of the work goes on.
await Bun.sleep(warmS * 1_000);
const before = await reading();
await Bun.sleep(seconds * 1_000);
const after = await reading();
const frames = after.frames - before.frames;
const { status, accepted, settled, waiting } = stage.state().verdict;
console.log(
  `${ratePerS} orders/s for ${seconds} s; ${status}: accepted ${accepted}, settled ${settled}, waiting ${waiting}`,
);
console.log(
  `page: ${((1_000 * (after.tasksS - before.tasksS)) / frames).toFixed(2)} ms of the main thread a frame, ${(frames / seconds).toFixed(0)} frames/s, heap ${before.heapMb.toFixed(1)} -> ${after.heapMb.toFixed(1)} MB`,
);
console.log(
  `server: ${((100 * (after.cpuS - before.cpuS)) / seconds).toFixed(1)} % of a core, feed included; ${after.rssMb.toFixed(0)} MB`,
);
stop();
await browser.close();
await served.stop();
await stage.close();
