// The page's panels in a real browser, before real tiers: dead letters, whoever wrote them; the minutes that are over, on the page
// and as a file.
import { expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { until } from "../kit/until.ts";
import { sampleOrder } from "../src/sample.ts";
import { orderId, orderKey } from "../src/wire/order-id.ts";
import { openTopics } from "../testing/kafka.ts";
import { card, figure, isState, pagesOfTests, press, reads, violations } from "./testing/on-page.ts";

const limitMs = 120_000;
const { embedded, mean, open } = pagesOfTests();

const hostile = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>\u202egnp`;

/** A letter of an order, as a consumer would have made it. */
function letterOf(customer: string, key: string) {
  const id = orderId(customer, orderKey(key));
  const order = { ...sampleOrder(0, customer), id, placedAt: new Date().toISOString() };
  const headers = {
    ce_id: id,
    "dead.reason": "the milk was sour",
    "dead.attempts": "10",
    "dead.topic": "orders",
  };
  return { id, record: { key: Buffer.from(id), value: JSON.stringify(order), headers, partition: 3 } };
}

test(
  "dead letters are listed, looked at and sent again by plan; hostile bytes are text, and who was handled is once",
  async () => {
    const { pipeline, stage } = embedded();
    const customer = "Zoë <b>";
    const [handled, waiting] = [letterOf(customer, "first"), letterOf(customer, "second")];
    await fetch(`${pipeline.balancerUrl}/orders`, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": "first" },
      body: JSON.stringify(sampleOrder(0, customer)),
    });
    const wayOf = (id: string) => stage().oneOrder.find(id);
    await until("it is handled", async () => (await wayOf(handled.id)).status === "handled");
    await openTopics(pipeline.bootstrap).put("orders.dead", [
      {
        value: Buffer.from(`${hostile}\0`),
        headers: { "dead.reason": hostile, "dead.at": "2001-02-03T12:00:00Z", [hostile]: hostile },
      },
      handled.record,
      waiting.record,
    ]);

    const page = await open();
    const letters = page.locator(".letters");
    await press(page, "List dead letters");
    await letters.getByText("3 dead letters").waitFor();
    // That it was not today is to be seen.
    await letters.locator("time", { hasText: "3 Feb 2001" }).waitFor();
    await press(page, "0/0");
    await letters.locator("pre").waitFor();
    expect(await letters.locator("pre").textContent()).toBe(`${hostile.replace("\u202e", "\ufffd")}\ufffd`);
    expect(await letters.locator("img, script, b b").count()).toBe(0);
    expect(await page.title()).toBe("Coffee Orders: the stage");

    await letters.getByLabel("Customer").fill(customer);
    await press(page, "List dead letters");
    await letters.getByText("2 dead letters").waitFor();
    await press(page, "Plan to send these again");
    await letters.locator(".plan").waitFor();
    expect(await letters.locator(".plan").textContent()).toMatch(
      /2 letters would be sent.* 1 of them can have no second effect.* 1 would be handled/,
    );
    expect(await letters.locator("tr", { hasText: "no second effect" }).locator("th").textContent()).toBe(
      "3/0",
    );
    expect(await violations(page)).toEqual([]);
    await page.setViewportSize({ width: 360, height: 800 });
    const root = "document.documentElement";
    await until("nothing is cut off", () =>
      page.evaluate<boolean>(`${root}.scrollWidth === ${root}.clientWidth`),
    );
    await press(page, "Send 2 again");
    await letters.getByText("Sent again: 2 of 2 acknowledged").waitFor();
    await until("the other one is handled", async () => (await wayOf(waiting.id)).status === "handled");
    const twice = async () => JSON.stringify(await wayOf(handled.id));
    expect(await stage().letters.plan({ customer, after: "3/0" })).toMatchObject({ letters: 1 });
    await until("the first came again", async () => /delivered 2 ×.*1 effect"/.test(await twice()));
  },
  2 * limitMs,
);

test(
  "nothing is sent again that was not planned, and what the command says of a wrong filter is shown",
  async () => {
    const page = await open();
    mean(/503/);
    const { act } = embedded().stage();
    await expect(act({ do: "redrive", customer: "anybody" })).rejects.toThrow("look at the plan");
    expect(embedded().stage().state().redrive?.running).not.toBe(true);
    await page.locator(".letters").getByLabel("Reason contains").fill("--all\0");
    await press(page, "List dead letters");
    await page.locator(".letters .failed").waitFor();
  },
  limitMs,
);

const scrollTo = (page: Page, atMs: number) =>
  page
    .getByLabel("Scroll back")
    .evaluate((input: { value: string; dispatchEvent(event: Event): void }, at) => {
      input.value = at;
      input.dispatchEvent(new Event("input", { bubbles: true }));
    }, String(atMs));

test(
  "faults are bands with their names; one scrolls back and stays there; all of it is saved as one file",
  async () => {
    const page = await open();
    await card(page, "producer-2").click();
    await press(page, "Kill -9");
    await isState(page, "producer-2", "down");
    await page.locator(".struck", { hasText: /kill producer-2.*– now/ }).waitFor();
    const downMs = Date.now();
    await until("a second is over", () => Date.now() > downMs + 1_000);
    await press(page, "Heal everything");
    await isState(page, "producer-2", "up");

    const slider = page.getByLabel("Scroll back");
    // The newest second and a half is now; and the slider goes by seconds.
    const isPast = async () => Number(await slider.getAttribute("max")) > downMs + 500 + 1_000 + 1_500;
    await until("it is past", isPast);
    await scrollTo(page, downMs + 500);
    await isState(page, "producer-2", "down");
    await page.locator(".diagram .then", { hasText: "As it was at" }).waitFor();
    await press(page, "Back to now");
    await isState(page, "producer-2", "up");
    expect(await page.locator(".diagram .then").count()).toBe(0);
    for (let steps = 0; steps < 4; steps += 1) await slider.press("ArrowLeft");
    const title = page.locator("#plots-title", { hasText: "up to" });
    const before = await title.textContent();
    const newest = await slider.getAttribute("max");
    await until("time goes on", async () => (await slider.getAttribute("max")) !== newest);
    expect(await title.textContent()).toBe(before);
    await slider.press("Home");
    await page.locator("#timeline-title", { hasText: "up to" }).waitFor();
    expect(await page.locator(".timeline").textContent()).not.toContain("kill producer-2");
    await press(page, "Back to now");
    await title.waitFor({ state: "detached" });

    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("link", { name: "Save as one file" }).click(),
    ]);
    const path = join(tmpdir(), `${crypto.randomUUID()}.html`);
    await download.saveAs(path);
    const file = await page.context().newPage();
    const complaints: string[] = [];
    file.on("console", (message) => complaints.push(message.text()));
    file.on("pageerror", ({ message }) => complaints.push(message));
    await file.goto(`file://${path}`);
    expect(await file.title()).toContain("Coffee Orders");
    await file.locator(".timeline", { hasText: "kill producer-2" }).waitFor();
    await file.locator(".struck", { hasText: /kill producer-2, [\d:]+ – [\d:]+/ }).waitFor();
    // Also there one scrolls back, and nothing can be done.
    await isState(file, "producer-2", "up");
    await scrollTo(file, downMs + 500);
    await isState(file, "producer-2", "down");
    await file.locator(".plots .u-over").last().hover();
    await file.locator(".pointed", { hasText: "accepted" }).waitFor();
    await card(file, "producer-2").click();
    await file.locator(".inspector", { hasText: "Nothing can be done to it here" }).waitFor();
    expect(await file.locator(".guide, .load, .letters, .heal, a[download]").count()).toBe(0);
    expect(await file.locator(`[src], [href]:not([href^="data:"])`).count()).toBe(0);
    expect(complaints).toEqual([]);
    await file.setViewportSize({ width: 360, height: 800 });
    expect(await violations(file)).toEqual([]);
    rmSync(path);
  },
  limitMs,
);

test(
  "k6 is started, watched and stopped while the producers are restarted one by one: all of it is accounted for",
  async () => {
    const page = await open();
    const { stage, pipeline } = embedded();
    const producers = pipeline.instances.filter(({ tier }) => tier === "producer");
    const processes = () => producers.map(({ child }) => child.pid);
    const [first, before] = [processes(), await figure(page, "sent")];
    await press(page, "steady");
    await page.getByRole("progressbar", { name: "k6 steady" }).waitFor();
    await reads(page, ".outcome code", /^bun run load --profile steady/);
    await until("its answers are counted", async () => (await figure(page, "sent")) > before + 50);

    let mostAway = 0;
    const detach = stage().attach(() => {
      // By the processes: one that is slow to answer is not away.
      const away = producers.filter(({ child }) => !child.running).length;
      mostAway = Math.max(mostAway, away);
    });
    await press(page, "Producers");
    await press(page, "Rolling restart");
    await page.locator(".timeline", { hasText: "the producers are all restarted" }).waitFor();
    detach();
    expect(mostAway).toBeLessThanOrEqual(1);
    expect(processes().filter((pid) => first.includes(pid))).toEqual([]);

    await press(page, "Stop k6");
    await page.locator(".k6", { hasText: /steady, stopped: [\d,]+ answered/ }).waitFor();
    const { profile, verdict } = stage().state();
    expect(verdict.sent).toBe(before + (profile?.answered ?? 0));
    expect(verdict.refused).toBe(0);
    await until("all is handled", async () => (await figure(page, "waiting")) === 0);
    for (const name of ["lost", "doubled", "phantom"]) expect(await figure(page, name)).toBe(0);
  },
  2 * limitMs,
);
