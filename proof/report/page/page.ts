/** The report as one HTML page that needs nothing else: style, plots and script are in it. */
import { join } from "node:path";
import type { Verdict } from "../../verdict/verdict.ts";
import type { Run } from "../run.ts";
import { frame } from "./axes.ts";
import { count, duration, escaped } from "./format.ts";
import { plotsOf } from "./plots.ts";
import { eventTable, findingsTable, recoveryTable, unavailabilityTable } from "./tables.ts";

/** What every column and word of the report means. */
const glossary: Record<string, string> = {
  lost: "answered 202, and neither handled nor a dead letter",
  "dead letters":
    "answered 202, given up by the handler, and kept as a dead letter: not handled, and not lost",
  phantom: "every try was refused, and it is in the log, the ledger or the dead letters all the same",
  unknown: "the client got no answer, or one that leaves it open; either outcome is right",
  "ledger duplicate": "its effect was applied more than once",
  "redelivered, topic duplicate":
    "at-least-once at work: seen by the consumers, and recognised by the ledger",
  "first try failed":
    "the first answer was no 202; the client tried again with the same key, at most three times in 35 s",
  "new orders wait": "the longest stretch in which more than 1 % of the orders sent failed or took over 1 s",
  longest: "the longest that any order took, those included that were under way when the fault struck",
  "handling waits": "the longest from the 202 to the row in the ledger",
  "backlog gone": "from the heal until no more orders are unseen than before the fault",
};

/** Makes the page. */
export async function reportPage({ seed, events, verdict, measures }: Run): Promise<string> {
  const [style, script] = await Promise.all(
    ["style.css", "hover.js"].map((name) => Bun.file(join(import.meta.dir, name)).text()),
  );
  const { startMs, endMs } = measures;
  const seconds = measures.seconds.map((one) =>
    [one.sent, one.firstTryFailed, one.p50Ms, one.p99Ms, one.handled, one.unseen].map(Math.round),
  );
  const data = { startMs, endMs, left: frame.left, right: frame.right, width: frame.width, seconds };
  const word = verdict.held ? "held" : "broken";
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Coffee Orders: the promise ${word === "held" ? "held" : "was broken"}, seed ${escaped(seed)}</title>
<style>${style}</style>
</head>
<body>
<header>
<h1>Coffee Orders under fault</h1>
<span class="verdict ${word}">the promise ${word === "held" ? "held" : "was broken"}</span>
<p>seed ${escaped(seed)} · ${new Date(startMs).toISOString().slice(0, 16).replace("T", " ")} UTC · ${duration(endMs - startMs)}</p>
</header>
${verdict.held ? "" : `<ul class="faults">${verdict.faults.map((fault) => `<li>${escaped(fault)}</li>`).join("")}</ul>`}
<section class="tiles">${tilesOf(verdict).join("")}</section>
<section id="plots">${plotsOf(measures, events)}</section>
<div id="here" hidden></div>
<h2>What each fault did</h2>
${recoveryTable(measures)}
<h2>Who was away</h2>
${unavailabilityTable(measures)}
${findingsTable(verdict)}
<details><summary>Everything that happened</summary>${eventTable(events, startMs)}</details>
<details><summary>What the words mean</summary><dl>${Object.entries(glossary)
    .map(([term, meaning]) => `<dt>${escaped(term)}</dt><dd>${escaped(meaning)}</dd>`)
    .join("")}</dl></details>
<script type="application/json" id="data">${JSON.stringify(data)}</script>
<script>${script}</script>
</body>
</html>
`;
}

function tilesOf(verdict: Verdict): string[] {
  const { unknown } = verdict;
  const promised = (name: string, value: number) => tile(name, value, value === 0 ? "right" : "wrong");
  return [
    tile("accepted", verdict.accepted),
    tile(
      "handled",
      verdict.handled,
      verdict.handled + verdict.deadLettered + verdict.destroyed === verdict.accepted ? "right" : "wrong",
    ),
    tile("dead letters", verdict.deadLettered),
    promised("lost", verdict.lost.length),
    promised("ledger duplicates", verdict.ledgerDuplicates.length),
    promised("phantoms", verdict.phantoms.length),
    tile("refused", verdict.refused),
    tile(
      "unknown",
      unknown.handled + unknown.waiting + unknown.absent,
      "",
      `${unknown.handled} of them handled`,
    ),
    tile("first try failed", verdict.firstTryFailed, "", `${count(verdict.retried)} orders tried again`),
    tile("redelivered", verdict.redeliveries),
    tile("topic duplicates", verdict.topicDuplicates),
  ];
}

const tile = (name: string, value: number, kind = "", note = ""): string =>
  `<div class="tile ${kind}"><b>${count(value)}</b>${escaped(name)}${note ? `<br><small>${escaped(note)}</small>` : ""}</div>`;
