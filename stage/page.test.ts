// The page in a real browser, before real tiers: what a person does with it, and sees of it.
import { expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { until } from "../kit/until.ts";
import { card, figure, isState, pagesOfTests, press, reads, violations } from "./testing/on-page.ts";

const limitMs = 180_000;

const { embedded, mean, open } = pagesOfTests({ aloneMs: 2_000 });

/** The lines and what flows on them, as they are drawn now. */
const pictureOf = (page: Page): Promise<string> =>
  page.evaluate("document.querySelector('.diagram canvas').toDataURL()");

test(
  "the first five minutes say that the promise held where it was seen to hold, and only there",
  async () => {
    const page = await open();
    for (let step = 1; step < 4; step += 1) await press(page, "Next ›");
    const guide = page.locator(".guide");
    await guide.getByRole("button", { name: "Heal everything" }).click();
    await reads(page, ".guide .rule", "No order accepted yet");
    await press(page, "Burst of 1,000");
    await reads(page, ".guide .rule", "You have seen the promise hold");
    await until("all is handled", async () => (await figure(page, "waiting")) === 0);
  },
  limitMs,
);

test(
  "orders flow; a producer is killed by a click; everything is accounted for; healing brings it back",
  async () => {
    const page = await open();
    const idle = await pictureOf(page);
    await press(page, "Send orders");
    await until("orders are handled", async () => (await figure(page, "handled")) > 50);
    await until("something moves", async () => (await pictureOf(page)) !== idle);
    await card(page, "producer-1").click();
    await press(page, "Kill -9");
    await isState(page, "producer-1", "down");
    await reads(page, ".outcome code", /^kill -9 \d+$/);
    await reads(page, ".timeline", /kill producer-1/);
    await reads(page, ".inspector .rule", /Why nothing is lost: .*same key/);
    const before = await figure(page, "handled");
    await until("the others go on", async () => (await figure(page, "handled")) > before + 50);
    await press(page, "Heal everything");
    await isState(page, "producer-1", "up");
    await press(page, "Pause the load");
    await until("all is handled", async () => (await figure(page, "waiting")) === 0);
    expect(await figure(page, "handled")).toBe(await figure(page, "accepted"));
    for (const name of ["lost", "doubled", "phantom"]) expect(await figure(page, name)).toBe(0);
    await page.locator(".verdict.good").waitFor();
  },
  limitMs,
);

test(
  "nothing moves when nothing flows",
  async () => {
    const page = await open();
    await embedded().stage().act({ do: "load", paused: true });
    await until("nothing flows", () =>
      Object.values(embedded().stage().state().edges).every(({ ratePerS }) => ratePerS === 0),
    );
    // Over many frames: what moves looks alike in two that follow each other.
    const isStill = `(async () => {
      const picture = () => document.querySelector(".diagram canvas").toDataURL();
      const first = picture();
      for (let frames = 0; frames < 7; frames += 1) await new Promise(requestAnimationFrame);
      return picture() === first;
    })()`;
    await until("nothing moves", () => page.evaluate<boolean>(isStill));
  },
  limitMs,
);

test(
  "a frozen consumer keeps its partitions until others take them; a reload and a second page show the same",
  async () => {
    const page = await open();
    await press(page, "Send orders");
    await card(page, "consumer-1").click();
    await press(page, "Pause");
    await isState(page, "consumer-1", "paused");
    expect(await card(page, "consumer-1").locator(".lane").count()).toBeGreaterThan(0);
    const other = await open();
    await isState(other, "consumer-1", "paused");
    await page.reload();
    await isState(page, "consumer-1", "paused");
    await until(
      "others own all partitions",
      async () => (await card(page, "consumer-1").locator(".lane").count()) === 0,
    );
    await press(other, "Heal everything");
    for (const one of [page, other]) await isState(one, "consumer-1", "up");
    await press(page, "Pause the load");
    await until("all is handled", async () => (await figure(page, "waiting")) === 0);
    for (const name of ["lost", "doubled", "phantom"]) expect(await figure(page, name)).toBe(0);
  },
  2 * limitMs,
);

test(
  "the guard keeps a tier from being taken away, unless it is told not to",
  async () => {
    const page = await open();
    mean(/409/);
    for (const name of ["producer-1", "producer-2"]) {
      await card(page, name).click();
      await press(page, "Pause");
      await isState(page, name, "paused");
    }
    await card(page, "producer-3").click();
    await press(page, "Pause");
    await reads(page, ".outcome .failed", "The guard keeps 1 of tier producer up");
    await page.getByLabel("Keep a majority").uncheck();
    await press(page, "Pause");
    await isState(page, "producer-3", "paused");
    await press(page, "Heal everything");
    for (const name of ["producer-1", "producer-2", "producer-3"]) await isState(page, name, "up");
  },
  limitMs,
);

test(
  "who was struck and is started by somebody else is no longer called struck",
  async () => {
    const page = await open();
    await card(page, "producer-1").click();
    await press(page, "Kill -9");
    await isState(page, "producer-1", "down");
    expect(embedded().stage().state().instances["producer-1"]?.struck).toEqual(["kill"]);
    const [victim] = embedded().pipeline.instances;
    if (victim) embedded().pipeline.restart(victim);
    await isState(page, "producer-1", "up");
    await until(
      "it is not struck",
      () => embedded().stage().state().instances["producer-1"]?.struck.length === 0,
    );
  },
  limitMs,
);

test(
  "who leaves the page has what was struck healed, the load paused and k6 ended",
  async () => {
    const page = await open();
    await press(page, "Send orders");
    await card(page, "producer-2").click();
    await press(page, "Kill -9");
    await isState(page, "producer-2", "down");
    await press(page, "steady");
    await page.getByRole("progressbar", { name: "k6 steady" }).waitFor();
    await page.close();
    await until("it is healed", () => embedded().whole());
    const { load, profile } = embedded().stage().state();
    expect({ paused: load.paused, k6: profile?.running }).toEqual({ paused: true, k6: false });
  },
  limitMs,
);

test(
  "a stage that is started anew under an open page is found again",
  async () => {
    const page = await open();
    mean(/ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION/);
    await embedded().restart();
    await page.locator(".offline").waitFor({ state: "detached" });
    await until("it is told what is", async () => (await page.locator(".card.up").count()) >= 10);
  },
  limitMs,
);

test(
  "an order placed by hand is followed to its row, and found again; one with a fault is told why",
  async () => {
    const page = await open();
    await press(page, "Place it");
    await page.locator(".fate.handled").waitFor();
    const stops = await page.locator(".waterfall").textContent();
    for (const words of [
      /HAProxy gives it/,
      /partition \d+, offset \d+: kafka\d has it/,
      /delivered 1 ×/,
      /one row, 1 effect/,
    ])
      expect(stops).toMatch(words);
    const id = (await page.locator(".one code").first().textContent()) ?? "";
    await page.getByRole("textbox", { name: "Order" }).fill('{"customer": "c42", "coffee": "tea"}');
    await press(page, "Place it");
    await page.locator(".fate.refused").waitFor();
    expect(await page.locator(".waterfall").textContent()).toContain("is answered 422");
    await page.getByLabel("Its id").fill(id);
    await press(page, "Find it");
    await page.locator(".fate.handled").waitFor();
    await page.getByLabel("Its id").fill("no body");
    await page.getByLabel("and its key").fill("nothing");
    await press(page, "Find it");
    await page.locator(".fate.not-found").waitFor();
  },
  limitMs,
);

test(
  "by keyboard alone: a card is reached and opened, acts, and has the focus again",
  async () => {
    const page = await open();
    await card(page, "producer-3").focus();
    await page.keyboard.press("Enter");
    await page.locator(".inspector").waitFor();
    for (let presses = 0; presses < 6; presses += 1) {
      await page.keyboard.press("Tab");
      if ((await page.evaluate("document.activeElement?.textContent")) === "Pause") break;
    }
    await page.keyboard.press("Enter");
    await isState(page, "producer-3", "paused");
    await page.keyboard.press("Escape");
    await page.locator(".inspector").waitFor({ state: "detached" });
    expect(await page.evaluate("document.activeElement?.dataset.node")).toBe("producer-3");
    await press(page, "Heal everything");
    await isState(page, "producer-3", "up");
  },
  limitMs,
);

test.each([
  ["light", 1_440],
  ["dark", 1_440],
  ["light", 360],
  ["dark", 360],
  // A phone of 320 px at 200 %.
  ["light", 160],
] as const)(
  "accessible by axe-core, nothing cut off: %s, %i px",
  async (colorScheme, width) => {
    const page = await open({ colorScheme, viewport: { width, height: 800 } });
    await page.locator(".table summary").click();
    await card(page, "consumer-1").click();
    expect(await page.getByRole("button", { name: "Slow down" }).isDisabled()).toBe(true);
    expect(await page.locator(".inspector").textContent()).toContain("not to be had here: only containers");
    expect(await violations(page)).toEqual([]);
    const root = "document.documentElement";
    expect(await page.evaluate(`${root}.scrollWidth - ${root}.clientWidth`)).toBe(0);
  },
  limitMs,
);
