import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { openPage, startBrowser } from "../../stage/testing/browser.ts";
import { violations } from "../../stage/testing/on-page.ts";
import type { History } from "../history/history.ts";
import { effect, history, record, row, sampleId, told } from "../testing/histories.ts";
import { reconcile } from "../verdict/reconcile.ts";
import { faultBands } from "./bands.ts";
import type { RunEvent } from "./events.ts";
import { clock, duration } from "./format.ts";
import { measuresOf } from "./measures.ts";
import { writeReport } from "./report.ts";
import { summaryOf } from "./summary.ts";

let folder: string;
let browser: Browser;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "coffee-orders-report-"));
  browser = await startBrowser();
}, 60_000);
afterAll(async () => {
  await browser.close();
  rmSync(folder, { recursive: true });
});

/** A report as who opens the file sees it, all of its text, and whatever it complained of or asked for elsewhere. */
async function opened(path: string) {
  const { page, complaints } = await openPage(browser, `file://${path}`, {}, ".found");
  const details = await page.locator("details").all();
  for (const one of details) await one.evaluate("(one) => { one.open = true; }");
  return { page, complaints, text: await page.evaluate<string>("document.body.innerText") };
}

const clockOf = (atMs: number) => new Date(atMs).toLocaleTimeString("en-GB");
const startMs = Date.parse("2026-11-22T20:00:00Z");
const at = (seconds: number) => startMs + seconds * 1_000;
const events: RunEvent[] = [
  { atMs: at(0), kind: "phase", text: "steady" },
  { atMs: at(10), kind: "fault", text: "kill -9 kafka2 <script>alert(1)</script>", fault: "broker-kill" },
  { atMs: at(15), kind: "heal", text: "kafka2 is back", fault: "broker-kill" },
  { atMs: at(20), kind: "fault", text: "kill -9 consumer-1", fault: "consumer-kill" },
  { atMs: at(30), kind: "note", text: "everything accepted is handled" },
];

/** Ten orders a second for half a minute; for a second after the first fault each takes two. */
function thirtySeconds(): History {
  const keys = Array.from({ length: 300 }, (_, n) => `k${n}`);
  const sentMs = (n: number) => at(n / 10);
  const latencyMs = (n: number) => (n >= 100 && n < 110 ? 2_000 : 20);
  return history({
    client: keys.map((key, n) => told(key, { startedMs: sentMs(n), endedMs: sentMs(n) + latencyMs(n) })),
    topic: keys.map((key, n) => record(key, n)),
    ledger: keys.map((key, n) => row(key, n, { handledAtMs: sentMs(n) + latencyMs(n) + 30 })),
    effects: keys.map(effect),
    commits: [{ atMs: at(30), partition: 0, offset: 300 }],
  });
}

const reportOf = async (found: History, name: string) => {
  const run = {
    seed: "a & b",
    events,
    history: found,
    verdict: reconcile(found),
    measures: measuresOf(found, events),
  };
  const report = await writeReport(run, join(folder, name));
  return { run, report, summary: summaryOf(run), html: await Bun.file(report.htmlPath).text() };
};

describe("a report", () => {
  test("is the stage's page, fed from the file: it needs nothing else, and no text is taken for markup", async () => {
    const { report, html } = await reportOf(thirtySeconds(), "held");
    expect(html).not.toContain("<script>alert");
    const { page, text, complaints } = await opened(report.htmlPath);
    expect(await page.title()).toBe("Coffee Orders: the promise held, seed a & b");
    expect(text).toContain("Nothing is lost");
    expect(text).toContain("Of 300 accepted orders 300 are handled.");
    expect(text).toContain("kill -9 kafka2 <script>alert(1)</script>");
    const rows = await page.locator(".found table").first().locator("tbody tr").allInnerTexts();
    expect(rows.map((row) => row.split("\t"))).toEqual([
      ["broker-kill", clockOf(at(10)), "5.0 s", ...["100", "0", "0", "900 ms", "2.0 s", "30 ms", "0 ms"]],
      ["consumer-kill", clockOf(at(20)), "–", ...["100", "0", "0", "0 ms", "20 ms", "30 ms", "0 ms"]],
    ]);
    // Lanes and three plots, and the faults as bands.
    expect(await page.locator(".plots canvas").count()).toBe(4);
    expect(await page.locator(".struck li").count()).toBe(2);
    // What can only be done or asked of a stage that runs is not there.
    expect(await page.locator(".diagram, .guide, .load, .letters, .heal, a[download]").count()).toBe(0);
    expect(await violations(page)).toEqual([]);
    expect(complaints).toEqual([]);
  }, 60_000);

  test("has the same figures for machines", async () => {
    const { run, report } = await reportOf(thirtySeconds(), "json");
    const { seed, verdict, measures, events: told } = await Bun.file(report.jsonPath).json();
    expect({ seed, events: told }).toEqual({ seed: run.seed, events });
    expect(verdict).toEqual(JSON.parse(JSON.stringify(run.verdict)));
    expect(measures.seconds).toHaveLength(31);
  });

  test("says in a terminal what was found", async () => {
    const { summary } = await reportOf(thirtySeconds(), "terminal");
    expect(
      summary,
    ).toBe(`  300 orders accepted, 300 handled, 0 dead letters, lost 0, ledger duplicates 0, phantoms 0
  refused 0, unknown 0 (0 of them handled); first try failed 0
  redelivered 0, topic duplicates 0: recognised by the ledger

  at    fault          first try failed  not accepted  new orders wait  longest  handling waits  backlog gone
  0:10  broker-kill                   0             0           900 ms    2.0 s           30 ms          0 ms
  0:20  consumer-kill                 0             0             0 ms    20 ms           30 ms          0 ms

  away       in all  longest  which means
  balancer     0 ms     0 ms  no answer
  producers    0 ms     0 ms  answered 500, 502 or 503
  brokers    900 ms   900 ms  not acknowledged within 1 s
  consumers    0 ms     0 ms  nothing handled for 1 s while orders waited`);
  });

  test("of a promise that was broken names what broke it", async () => {
    const good = thirtySeconds();
    const broken = { ...good, ledger: good.ledger.slice(1), effects: good.effects.slice(1) };
    const { report, summary, run } = await reportOf(broken, "broken");
    expect(summary).toContain("lost 1: accepted, and neither handled nor a dead letter (1 committed)");
    const { text } = await opened(report.htmlPath);
    expect(text).toContain("The promise is broken");
    expect(text).toContain("lost 1: accepted, and neither handled nor a dead letter (1 committed)");
    expect(text).toContain(run.verdict.lost[0]?.id as string);
  }, 60_000);

  test("counts an accepted order that became a dead letter, and holds", async () => {
    const good = thirtySeconds();
    const dead = [{ id: sampleId("k0"), partition: 0, offset: 0, reason: "no milk" }];
    const givenUp = { ...good, dead, ledger: good.ledger.slice(1), effects: good.effects.slice(1) };
    const { report, summary } = await reportOf(givenUp, "given-up");
    expect(summary).toContain("300 orders accepted, 299 handled, 1 dead letter, lost 0");
    const { text } = await opened(report.htmlPath);
    expect(text).toContain("Of 300 accepted orders 299 are handled, 1 kept as dead letters.");
    expect((await Bun.file(report.jsonPath).json()).verdict.deadLettered).toBe(1);
  }, 60_000);

  test("of orders that a fault destroyed does not say that nothing is lost", async () => {
    const good = thirtySeconds();
    const cut: History = {
      ...good,
      client: good.client.map((one, n) => (n < 299 ? one : { ...one, place: { partition: 0, offset: n } })),
      topic: good.topic.slice(0, -1),
      ledger: good.ledger.slice(0, -1),
      effects: good.effects.slice(0, -1),
      commits: [{ atMs: at(29), partition: 0, offset: 299 }],
      cuts: [{ atMs: at(31), records: 1, partition: 0, from: 299 }],
    };
    const { run, report } = await reportOf(cut, "cut");
    expect(run.verdict).toMatchObject({ held: true, destroyed: 1, faults: [] });
    const { text } = await opened(report.htmlPath);
    expect(text).toContain("Of 300 accepted orders 299 are handled, 1 destroyed by a fault.");
    expect(text).toContain("The promise held");
    expect(text).not.toContain("Nothing is lost");
  }, 60_000);

  test("is there for machines where the page can't be made", async () => {
    mkdirSync(join(folder, "no-page", "report.html"), { recursive: true });
    expect(await reportOf(thirtySeconds(), "no-page").catch(() => "no page")).toBe("no page");
    expect((await Bun.file(join(folder, "no-page", "report.json")).json()).seed).toBe("a & b");
  });

  test("names the newest faults, and says how many there were before", async () => {
    const many = Array.from({ length: 9 }, (_, n) => ({ ...(events[1] as RunEvent), atMs: at(n + 1) }));
    const run = { ...(await reportOf(thirtySeconds(), "few")).run, events: many };
    const { htmlPath } = await writeReport(run, join(folder, "many"));
    const { page } = await opened(htmlPath);
    const named = await page.locator(".struck li").allTextContents();
    expect(named).toHaveLength(7);
    expect(named.at(-1)).toBe("and 3 before: point at one to read its name");
    await page.locator(".plots .u-over").last().hover();
    await page.locator(".pointed", { hasText: /p99 20 ms; median 20 ms/ }).waitFor();
  }, 60_000);

  test("can be made of a run in which nothing happened", async () => {
    const { report } = await reportOf(history({}), "nothing");
    const { text, complaints } = await opened(report.htmlPath);
    expect(text).toContain("nothing was accepted");
    expect(text).not.toContain("0 lost");
    expect(text).not.toMatch(/NaN|Infinity|undefined/);
    expect(complaints).toEqual([]);
  }, 60_000);
});

test("a fault's band ends with its heal, or where the next one begins", () => {
  expect(faultBands(events, at(31)).map(({ fromMs, toMs, fault }) => [fromMs, toMs, fault])).toEqual([
    [at(10), at(15), "broker-kill"],
    [at(20), at(31), "consumer-kill"],
  ]);
});

test("the bands of faults of one round overlap, each up to its own heal", () => {
  const [strike, heal] = [
    { kind: "fault", text: "", round: 1 } as const,
    { kind: "heal", text: "" } as const,
  ];
  const together: RunEvent[] = [
    { ...strike, atMs: at(10), fault: "broker-kill" },
    { ...strike, atMs: at(11), fault: "consumer-kill" },
    { ...heal, atMs: at(20), fault: "broker-kill" },
    { ...heal, atMs: at(21), fault: "consumer-kill" },
  ];
  expect(faultBands(together, at(31)).map(({ fromMs, toMs }) => [fromMs, toMs])).toEqual([
    [at(10), at(20)],
    [at(11), at(21)],
  ]);
});

test("times are said as people say them", () => {
  expect([0, 999, 1_000, 59_940, 125_000, undefined].map(duration)).toEqual([
    "0 ms",
    "999 ms",
    "1.0 s",
    "59.9 s",
    "2 min 5 s",
    "–",
  ]);
  expect([0, 59_999, 750_000].map(clock)).toEqual(["0:00", "0:59", "12:30"]);
});
