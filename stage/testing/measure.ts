/**
 * What the stage itself costs, at a rate that this machine could not carry beside the topology: the feed, one page.
 * `bun stage/testing/measure.ts [ORDERS_PER_S] [SECONDS]`. The page's figures are of its main thread; the server's of this
 * process, less what the feed takes that it would have of clients and ledger. Heaps are read after a collection, once a
 * minute and at both ends: `bun stage/testing/measure.ts 2000 1800` is half an hour, in which what leaks would show.
 */
import { heapStats } from "bun:jsc";
import { ownCommandLine, wholeNumber } from "../../kit/arguments.ts";
import { serveStage } from "../server.ts";
import { openStage } from "../stage.ts";
import { createFeed } from "./feed.ts";

const usage = "bun stage/testing/measure.ts [ORDERS_PER_S] [SECONDS]     2000 for 30 s by default";
const { ratePerS, seconds } = ownCommandLine(
  usage,
  {},
  (_, [rate = "2000", length = "30"]) => ({
    ratePerS: wholeNumber("ORDERS_PER_S", rate, 1),
    seconds: wholeNumber("SECONDS", length, 1),
  }),
  2,
);
// Not before: to load what drives a browser takes seconds.
const { openPage, startBrowser } = await import("./browser.ts");
const warmS = 35;
const heapEveryS = 60;

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

/** Cumulative: seconds of the page's tasks, frames, CPU of this process. And both heaps as they are now, without garbage. */
async function reading() {
  await session.send("HeapProfiler.collectGarbage");
  Bun.gc(true);
  const { metrics } = await session.send("Performance.getMetrics");
  const of = (name: string) => metrics.find((metric) => metric.name === name)?.value ?? 0;
  const { user, system } = process.cpuUsage();
  return {
    tasksS: of("TaskDuration"),
    pageMb: of("JSHeapUsedSize") / 2 ** 20,
    nodes: of("Nodes"),
    serverMb: heapStats().heapSize / 2 ** 20,
    frames: Number(await page.evaluate("frames_")),
    cpuS: (user + system) / 1e6,
    rssMb: process.memoryUsage.rss() / 2 ** 20,
  };
}

// Until the first orders are settled, so that all of the work goes on.
await Bun.sleep(warmS * 1_000);
const before = await reading();
const readings = [before];
for (let leftS = seconds; leftS > 0; leftS -= heapEveryS) {
  await Bun.sleep(Math.min(leftS, heapEveryS) * 1_000);
  readings.push(await reading());
  const { pageMb, nodes, serverMb, rssMb } = readings.at(-1) ?? before;
  console.error(
    `page ${pageMb.toFixed(2)} MB, ${nodes} nodes; server ${serverMb.toFixed(1)} MB, ${rssMb.toFixed(0)} MB resident`,
  );
}
const after = readings.at(-1) ?? before;
/** How a heap went, in words. */
const heapOf = (which: "pageMb" | "serverMb"): string => {
  const all = readings.map((one) => one[which]);
  const [first = 0, last = 0] = [all[0], all.at(-1)];
  return `${first.toFixed(2)} MB first, ${last.toFixed(2)} last, ${Math.max(...all).toFixed(2)} at most`;
};
const frames = after.frames - before.frames;
const { status, accepted, settled, waiting } = stage.state().verdict;
console.log(
  `${ratePerS} orders/s for ${seconds} s; ${status}: accepted ${accepted}, settled ${settled}, waiting ${waiting}`,
);
console.log(
  `page: ${((1_000 * (after.tasksS - before.tasksS)) / frames).toFixed(2)} ms of the main thread a frame, ${(frames / seconds).toFixed(0)} frames/s, heap ${heapOf("pageMb")}`,
);
console.log(
  `server: ${((100 * (after.cpuS - before.cpuS)) / seconds).toFixed(1)} % of a core, feed included; heap ${heapOf("serverMb")}, ${after.rssMb.toFixed(0)} MB resident`,
);
stop();
await browser.close();
await served.stop();
await stage.close();
