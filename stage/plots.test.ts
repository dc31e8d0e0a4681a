// The plots of the page, by the clock of the stage and not of the browser.
import { test } from "bun:test";
import type { Container } from "../infra/topology.ts";
import { until } from "../kit/until.ts";
import type { System } from "../proof/system/system.ts";
import { serveStage } from "./server.ts";
import { openStage } from "./stage.ts";
import { startBrowser } from "./testing/browser.ts";
import { createFeed } from "./testing/feed.ts";

const token = "a-token-of-the-test";
const hourMs = 3_600_000;

test("what is struck is a band up to now, also where the browser's clock is an hour late", async () => {
  const { source } = createFeed(0);
  const name = "kafka1";
  const container: Container = {
    ...{ id: name, name, service: name, health: "", exitCode: 0, ports: [], state: "running" },
  };
  const stage = openStage({
    ...source,
    faults: { ...source.faults, broker: ["pause"] },
    containers: async () => new Map([[name, container]]),
    system: { topology: { pause: async () => undefined } } as unknown as System,
  });
  const served = await serveStage(stage, { port: 0, token });
  const browser = await startBrowser();
  try {
    const page = await browser.newPage({ viewport: { width: 1_440, height: 900 } });
    await page.addInitScript(`{ const own = Date.now; Date.now = () => own() - ${hourMs}; }`);
    await page.goto(served.url);
    await page.getByRole("button", { name: "2 min" }).click();
    await stage.act({ do: "strike", fault: "pause", target: name });
    /** How wide is what is drawn in the first plot at every height: lines of the grid are narrow. */
    const width = () =>
      page.evaluate<number>(`(() => {
          const plot = document.querySelector(".plots canvas");
          const rows = [0.2, 0.3, 0.4, 0.45, 0.5].map((part) => Math.floor(part * plot.height));
          const context = plot.getContext("2d");
          const drawn = rows.map((row) => context.getImageData(0, row, plot.width, 1).data);
          let [longest, length] = [0, 0];
          for (let at = 3; at < 4 * plot.width; at += 4) {
            length = drawn.every((row) => row[at] > 0) ? length + 1 : 0;
            longest = Math.max(longest, length);
          }
          return longest;
        })()`);
    await until("it goes on with the time", async () => (await width()) > 12, 60_000);
  } finally {
    await browser.close();
    await served.stop();
    await stage.close();
  }
}, 120_000);
