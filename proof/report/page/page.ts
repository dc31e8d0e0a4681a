/** The report of a proof as a page: its verdict, what each fault did, and what its words mean. */
import type { Verdict } from "../../verdict/verdict.ts";
import type { Run } from "../run.ts";
import { documentOf, promised, type Tile } from "./document.ts";
import { count, duration } from "./format.ts";
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
export function reportPage({ seed, events, verdict, measures }: Run): Promise<string> {
  const { startMs, endMs } = measures;
  const text = `the promise ${verdict.held ? "held" : "was broken"}`;
  return documentOf({
    title: `Coffee Orders: ${text}, seed ${seed}`,
    heading: "Coffee Orders under fault",
    verdict: { text, kind: verdict.held ? "held" : "broken" },
    about: `seed ${seed} · ${new Date(startMs).toISOString().slice(0, 16).replace("T", " ")} UTC · ${duration(endMs - startMs)}`,
    faults: verdict.held ? [] : verdict.faults,
    tiles: tilesOf(verdict),
    seen: measures,
    events,
    below: `<h2>What each fault did</h2>
${recoveryTable(measures)}
<h2>Who was away</h2>
${unavailabilityTable(measures)}
${findingsTable(verdict)}
<details><summary>Everything that happened</summary>${eventTable(events, startMs)}</details>`,
    glossary,
  });
}

function tilesOf(verdict: Verdict): Tile[] {
  const { unknown } = verdict;
  const accountedFor = verdict.handled + verdict.deadLettered + verdict.destroyed;
  return [
    { name: "accepted", value: verdict.accepted },
    {
      name: "handled",
      value: verdict.handled,
      kind: accountedFor === verdict.accepted ? "right" : "wrong",
    },
    { name: "dead letters", value: verdict.deadLettered },
    promised("lost", verdict.lost.length),
    promised("ledger duplicates", verdict.ledgerDuplicates.length),
    promised("phantoms", verdict.phantoms.length),
    { name: "refused", value: verdict.refused },
    {
      name: "unknown",
      value: unknown.handled + unknown.waiting + unknown.absent,
      note: `${unknown.handled} of them handled`,
    },
    {
      name: "first try failed",
      value: verdict.firstTryFailed,
      note: `${count(verdict.retried)} orders tried again`,
    },
    { name: "redelivered", value: verdict.redeliveries },
    { name: "topic duplicates", value: verdict.topicDuplicates },
    ...(verdict.trespasses
      ? [promised("let in to another's", verdict.trespasses.readsLetIn + verdict.trespasses.writesLetIn)]
      : []),
  ];
}
