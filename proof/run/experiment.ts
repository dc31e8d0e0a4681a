// One proof from the first order to the verdict: load on the balancer, the schedule's faults, heal, drain, and then
// everything that was left behind held against what the clients were told. It ends, whatever the system does: each
// wait is bounded, and what did not come in time is a part of the verdict.
import { comesTrue } from "../../kit/until.ts";
import type { ClientAnswer } from "../client/answers.ts";
import { orderLimitMs } from "../client/policy.ts";
import { isPoisoned } from "../faults/in-ledger.ts";
import { type FaultName, healAll } from "../faults/registry.ts";
import { withLedger } from "../history/ask.ts";
import { collect, sampleCommits } from "../history/collect.ts";
import type { Cut, History } from "../history/history.ts";
import { hungAtTheEnd, withoutCutShort } from "../history/last-orders.ts";
import { clockMoved } from "../load/clock.ts";
import { mostUsers, overloadUsers } from "../load/profiles.ts";
import { startLoadRun } from "../load/run.ts";
import { brokenPromises, failedUnprovoked, outcomesOf, type RoundOutcome, starved } from "../plan/goals.ts";
import { scenarios } from "../plan/scenarios.ts";
import type { Schedule } from "../plan/schedule.ts";
import type { RunEvent } from "../report/events.ts";
import { measuresOf } from "../report/measures.ts";
import type { Run } from "../report/run.ts";
import type { System } from "../system/system.ts";
import { reconcile } from "../verdict/reconcile.ts";
import type { Verdict } from "../verdict/verdict.ts";
import { conduct } from "./conduct.ts";
import { drained } from "./drain.ts";
import { settle } from "./settle.ts";
import { judgedTrespasses, startTrespassers, type Trespassed } from "./trespassers.ts";

const wholeLimitMs = 120_000;
/** The load outlasts the last fault for so long: an order that this one made hang has its final answer then. */
const lastAnswersMs = orderLimitMs + 1_000;
/** Brokers that have just started take a minute of load until they are steady; at once, all of it would pile up. */
const warmUps = [
  { share: 1 / 4, seconds: 15 },
  { share: 1 / 2, seconds: 20 },
];

export interface ExperimentOptions {
  ratePerS: number;
  tell(event: RunEvent): void;
  stop: AbortSignal;
}

export interface Experiment {
  run: Run;
  outcomes: RoundOutcome[];
  /** Why the promise was not kept; nothing: it was. */
  broken: string[];
  /** Why that says nothing: nothing was lost, doubled or called refused that is there, and the machine was not fit. */
  untested: string | undefined;
}

/** @throws Error when it could not be carried out: nothing is proven then, neither way */
export async function experiment(
  system: System,
  schedule: Schedule,
  { ratePerS, tell, stop }: ExperimentOptions,
): Promise<Experiment> {
  const events: RunEvent[] = [];
  const record = (event: RunEvent) => {
    events.push(event);
    tell(event);
  };
  const say: Say = (kind, text) => record({ atMs: Date.now(), kind, text });

  // A former run that was killed may have left what no health check shows, such as rules in a network.
  await healAll(system);
  const left = await settle(system, wholeLimitMs, stop);
  if (left.length > 0) throw new Error(`the topology is not whole to begin with: ${left.join("; ")}`);
  const partitioner = await system.partitioner();
  say("phase", "warm-up: orders of no record");
  await warmUp(system, ratePerS, stop);
  const sampler = await sampleCommits(system.topology);
  try {
    const told = await underLoad(system, schedule, { ratePerS, tell: record, stop });
    say("phase", "drain: no more orders are sent");
    const waiting = await withLedger(await system.topology.ledger(), (ledger) =>
      drained(ledger, told.answers, { stop, destroyed: told.cuts.length > 0 }),
    );
    const handled = waiting === 0 ? "everything accepted is" : `${waiting} accepted orders are not`;
    say("note", `${handled} handled`);
    await sampler.stop();
    // Those that were forbidden are looked for as well.
    const sent = [...told.answers, ...told.trespassed.forbidden];
    const history = await collect(system.topology, sent, sampler.commits, told.cuts);
    const verdict = reconcile({ ...history, client: told.answers }, { partitioner });
    return judged(schedule, { ...history, client: told.answers }, verdict, events, told);
  } finally {
    await sampler.stop();
  }
}

type Say = (kind: RunEvent["kind"], text: string) => void;

async function warmUp({ url, access }: System, ratePerS: number, stop: AbortSignal): Promise<void> {
  for (const { share, seconds } of warmUps) {
    const rate = Math.ceil(ratePerS * share);
    await startLoadRun({ url, access, profile: "steady", rate, durationSeconds: seconds, stop }).done;
    stop.throwIfAborted();
  }
}

/** What the load and the schedule leave behind. */
type UnderLoad = {
  answers: ClientAnswer[];
  cuts: Cut[];
  /** What was not whole in time. */
  shortcomings: string[];
  trespassed: Trespassed;
  /** When the load was ended. */
  stoppedMs: number;
  /** By how much the machine's clock was set meanwhile. */
  clockMovedMs: number;
};

/** Carries the schedule out while orders are sent, and waits for the last answers. */
async function underLoad(
  system: System,
  schedule: Schedule,
  { ratePerS, tell, stop }: ExperimentOptions,
): Promise<UnderLoad> {
  const keysChange = hasFault(schedule, "rotate-api-keys") || hasFault(schedule, "rotate-issuer");
  const load = startLoadRun({
    ...{ url: system.url, access: system.access, stop, keysChange },
    profile: "steady",
    rate: ratePerS,
    // What a fault sends on top has its connections from the same few.
    ...(hasFault(schedule, "overload") && { users: mostUsers - overloadUsers }),
    // Ended by us; this only bounds it.
    durationSeconds: Math.ceil((2 * schedule.expectedMs) / 1_000) + 600,
  });
  const over = new AbortController();
  load.done.then(
    () => over.abort(new Error("the load ended by itself before the last fault")),
    (error) => over.abort(error),
  );
  const ending = AbortSignal.any([stop, over.signal]);
  const trespassers = startTrespassers(system);
  const ofFaults: ClientAnswer[] = [];
  const cuts: Cut[] = [];
  let shortcomings: string[] | undefined;
  let stoppedMs = 0;
  try {
    shortcomings = await conduct(system, schedule, {
      tell,
      stop: ending,
      ratePerS,
      cut: (cut) => cuts.push(cut),
      told: (answers) => {
        // Not as arguments: there may be a hundred thousand of them.
        for (const answer of answers) ofFaults.push(answer);
      },
    });
    tell({ atMs: Date.now(), kind: "phase", text: "the last answers" });
    await comesTrue(() => ending.aborted, lastAnswersMs, 100);
    ending.throwIfAborted();
  } finally {
    // Where a heal failed, a fault is left; and no order may be sent to a broken system for ever.
    try {
      if (shortcomings === undefined) await healAll(system, faultsOf(schedule));
    } finally {
      stoppedMs = Date.now();
      await Promise.all([load.stop(), trespassers.stop()]);
    }
  }
  const trespassed = await trespassers.stop();
  const { answers: ofLoad, clockMovedMs } = await load.done;
  const answers = [...ofLoad, ...ofFaults, ...trespassed.answers];
  return { answers, cuts, shortcomings, trespassed, stoppedMs, clockMovedMs };
}

/** Holds what was found against what the clients were told, and against the goals. */
function judged(
  schedule: Schedule,
  history: History,
  verdict: Verdict,
  events: RunEvent[],
  { answers, shortcomings, trespassed, stoppedMs, clockMovedMs }: UnderLoad,
): Experiment {
  const trespasses = judgedTrespasses(history, trespassed);
  const client = withoutCutShort(answers, stoppedMs);
  const measures = measuresOf({ ...history, client }, events);
  const outcomes = outcomesOf(history, measures);
  const unprovoked = failedUnprovoked(client, measures.recoveries).length;
  const isPoison = hasFault(schedule, "poison");
  const wronglyDead = verdict.givenUp.filter((id) => !(isPoison && isPoisoned(id))).length;
  const unsafe = [
    ...verdict.faults,
    // All orders of this load can be handled, but for poisoned ones: whoever gave one up was wrong.
    ...(wronglyDead > 0 ? [`${wronglyDead} orders that can be handled became dead letters`] : []),
    ...(trespasses && trespasses.readsLetIn > 0
      ? [`${trespasses.readsLetIn} orders were shown to another principal`]
      : []),
    ...(trespasses && trespasses.writesLetIn > 0
      ? [`${trespasses.writesLetIn} orders came in where only another principal may order`]
      : []),
  ];
  const unavailable = [
    ...brokenPromises(outcomes),
    ...(unprovoked > 0 ? [`${unprovoked} orders were not accepted while there was no fault`] : []),
    ...hungAtTheEnd(answers, stoppedMs),
    ...shortcomings,
    ...(trespasses?.ownReads === 0 ? ["no principal could read its own orders"] : []),
  ];
  const broken = [...unsafe, ...unavailable];
  const slow = unavailable.length > 0 ? starved(client, measures.recoveries) : undefined;
  // Who failed when is told by the clock, also where nobody seems to have.
  const untested = unsafe.length === 0 ? (clockMoved(clockMovedMs) ?? slow) : undefined;
  const held = { held: broken.length === 0, faults: broken };
  const final = { ...verdict, ...held, ...(trespasses && { trespasses }) };
  return {
    run: { seed: schedule.seed, events, history, verdict: final, measures },
    outcomes,
    broken,
    untested,
  };
}

const faultsOf = ({ rounds }: Schedule): Set<FaultName> =>
  new Set(rounds.flatMap(({ steps }) => steps.map(({ scenario }) => scenarios[scenario].fault)));
const hasFault = (schedule: Schedule, fault: FaultName): boolean => faultsOf(schedule).has(fault);
