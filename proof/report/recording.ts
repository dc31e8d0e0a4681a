/** A finished run as the page takes it: its verdict, what happened, what each fault did, and what the words mean. */
import type { ProofView, Recording } from "../../page/recording.ts";
import type { Sample, StageState, TimelineEvent, Verdict as VerdictView } from "../../page/state.ts";
import type { Verdict } from "../verdict/verdict.ts";
import { faultBands } from "./bands.ts";
import { duration } from "./format.ts";
import type { Second } from "./measures.ts";
import type { Run } from "./run.ts";
import { findingsTable, recoveryTable, unavailabilityTable } from "./tables.ts";

/** What the columns mean that are not those of the stage. */
const words: Record<string, string> = {
  "first try failed":
    "the first answer was no 202; the client tried again with the same key, at most three times in 35 s",
  "new orders wait": "the longest stretch in which more than 1 % of the orders sent failed or took over 1 s",
  longest: "the longest that any order took, those included that were under way when the fault struck",
  "handling waits": "the longest from the 202 to the row in the ledger",
  "backlog gone": "from the heal until no more orders are unseen than before the fault",
  "topic duplicates": "records beyond an order's first: at-least-once at work, recognised by the ledger",
  "unknown, handled": "the client could not tell, and it was; either is right",
  destroyed: "cut from every replica by a fault before it was handled",
};
const kinds = { phase: "change", fault: "strike", heal: "heal", note: "change" } as const;

export function recordingOf({ seed, events, verdict, measures }: Run): Recording {
  const { startMs, endMs, seconds } = measures;
  const told = events.map(({ atMs, kind, text }): TimelineEvent => ({ atMs, kind: kinds[kind], text }));
  return {
    title: `Coffee Orders: the promise ${verdict.held ? "held" : "was broken"}, seed ${seed}`,
    about: `proof of seed ${seed}, ${new Date(startMs).toISOString().slice(0, 16).replace("T", " ")} UTC, ${duration(endMs - startMs)}`,
    state: {
      ...unwatched,
      atMs: endMs,
      verdict: viewOf(verdict),
      events: Object.fromEntries(told.entries()),
      bands: Object.fromEntries(faultBands(events, endMs).entries()),
    },
    samples: seconds.map(sampleOf),
    past: [],
    proof: {
      faults: verdict.held ? [] : verdict.faults,
      figures: figuresOf(verdict),
      lanes: measures.unavailability.map(({ tier, stretches }) => ({ name: tier, stretches })),
      tables: [recoveryTable(measures), unavailabilityTable(measures), findingsTable(verdict)].filter(
        ({ rows }) => rows.length > 0,
      ),
      words,
    },
  };
}

const sampleOf = (one: Second): Sample => {
  const answered = one.sent > 0;
  return [
    ...([one.atMs, one.accepted, one.handled, one.unseen, answered ? one.p99Ms : -1] as const),
    ...([one.firstTryFailed, answered ? one.p50Ms : -1] as const),
  ];
};

/** What a proof does not watch. */
const unwatched: Omit<StageState, "atMs" | "verdict" | "events" | "bands"> = {
  kind: "containers",
  readOnly: true,
  instances: {},
  partitions: {},
  edges: {
    ...{ placed: { ratePerS: 0 }, balanced: { ratePerS: 0 }, appended: { ratePerS: 0 } },
    ...{ polled: { ratePerS: 0 }, handled: { ratePerS: 0 } },
  },
  controller: -1,
  group: { state: "", members: 0 },
  load: { ratePerS: 0, paused: true, mix: "single", answeredPerS: 0, open: 0 },
  faults: {},
  withheld: {},
  rolling: [],
  scalable: [],
};

function viewOf(verdict: Verdict): VerdictView {
  const { held, accepted, refused, handled, deadLettered, redeliveries } = verdict;
  const [unknown, lost] = [sum(Object.values(verdict.unknown)), verdict.lost.length];
  return {
    ...{ status: held ? "good" : "broken", why: "", oldestS: 0, settled: accepted },
    ...{ sent: accepted + refused + unknown, accepted, refused, unknown, handled },
    // What still waits in the end is lost.
    ...{ waiting: 0, redelivered: redeliveries },
    ...{ dead: deadLettered, lost, doubled: verdict.ledgerDuplicates.length },
    ...{ phantom: verdict.phantoms.length, mistaken: verdict.mistaken.length + verdict.altered.length },
  };
}

function figuresOf(verdict: Verdict): ProofView["figures"] {
  const { firstTryFailed, retried, topicDuplicates, unknown, destroyed, trespasses } = verdict;
  return {
    "first try failed": firstTryFailed,
    "tried again": retried,
    "topic duplicates": topicDuplicates,
    "unknown, handled": unknown.handled,
    ...(destroyed > 0 && { destroyed }),
    ...(trespasses && { "let in to another's": trespasses.readsLetIn + trespasses.writesLetIn }),
  };
}

const sum = (values: readonly number[]): number => values.reduce((total, one) => total + one, 0);
