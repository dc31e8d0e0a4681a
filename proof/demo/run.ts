// One run of the demo: everything up, orders and deaths, everything down, and then the verdict.

import { comesTrue } from "../../kit/until.ts";
import { UserError } from "../../kit/user-error.ts";
import { effectTable } from "../../src/handle.ts";
import { letOrdersFlow } from "./flow.ts";
import { openLedger } from "./ledger.ts";
import { type Monitor, startMonitor } from "./monitor.ts";
import { type Pipeline, startPipeline } from "./pipeline.ts";
import { lastWords, type Processes } from "./processes.ts";
import type { Screen } from "./screen/screen.ts";
import { introduction, stamp } from "./screen/view.ts";
import type { DemoSettings } from "./settings.ts";
import { isBack } from "./takeover.ts";
import { type FinalAnswer, holds, judge, verdictLines } from "./verdict.ts";

const startLimitMs = 60_000;
const pollMs = 100;
const stopGraceMs = 10_000;

/** Somebody who watches a run, beside the terminal. */
export interface Onlooker {
  /** What the person is told of it. */
  told: string;
  hear(answer: FinalAnswer): void;
  [Symbol.asyncDispose](): Promise<void>;
}
export type OpenOnlooker = (pipeline: Pipeline) => Promise<Onlooker>;

export interface DemoSurroundings {
  settings: DemoSettings;
  screen: Screen;
  processes: Processes;
  /** For the ledger and the logs. */
  folder: string;
  /** Told to end: with a verdict, once orders flow. */
  stop: AbortSignal;
  openOnlooker?: OpenOnlooker | undefined;
}

/**
 * Resolves with whether the promise was kept; the last line says so.
 * @throws UserError when it can't run, and the reason of `stop` when that comes before any order
 */
export async function runDemo(surroundings: DemoSurroundings): Promise<boolean> {
  const { settings, screen, processes, folder, stop, openOnlooker } = surroundings;
  const startMs = performance.now();
  const tell = (event: string) => screen.say(stamp((performance.now() - startMs) / 1_000, event));

  screen.say(introduction);
  const pipeline = await startPipeline(settings, processes, folder, stop);
  await using monitor = startMonitor(pipeline);
  await allUp(pipeline, monitor, stop);
  tell(`all are up: ${settings.ratePerS} orders a second go to ${pipeline.balancerUrl}/orders`);
  tell(`the balancer's own page is at ${pipeline.statsUrl}`);

  using ledger = openLedger(pipeline.ledgerPath);
  await using onlooker = await openOnlooker?.(pipeline);
  if (onlooker) tell(onlooker.told);
  const hear = (answer: FinalAnswer) => onlooker?.hear(answer);
  const answers = await letOrdersFlow({ settings, pipeline, monitor, ledger, screen, tell, hear, stop });
  screen.leave();
  // Told to end at once: there is nothing to judge.
  if (answers.length === 0) stop.throwIfAborted();
  // First those who commit, while there is something to commit to. Judged is only afterwards: whoever still ran could
  // apply an effect once more.
  await processes.stop(
    stopGraceMs,
    pipeline.instances.map(({ child }) => child),
  );
  await processes.stop(stopGraceMs);
  const verdict = judge(answers, ledger.read());
  const held = holds(verdict);
  screen.say("");
  if (!held) screen.say(`The ledger and everyone's log are kept in ${folder}.`);
  if (!effectTable) screen.say("Effects are not counted: they lie elsewhere.");
  for (const line of verdictLines(verdict)) screen.say(line);
  return held;
}

/** Waits until the balancer has every instance and every partition has its owner. */
async function allUp({ instances, pillars }: Pipeline, monitor: Monitor, stop: AbortSignal): Promise<void> {
  const children = [...pillars, ...instances.map(({ child }) => child)];
  const ended = () => children.find(({ running }) => !running);
  const late = () => instances.filter((instance) => !isBack(instance, monitor));
  await comesTrue(() => stop.aborted || ended() !== undefined || late().length === 0, startLimitMs, pollMs);
  stop.throwIfAborted();
  const dead = ended();
  if (dead)
    throw new UserError(`${dead.name} ended at its start with ${await dead.ended}:\n${lastWords(dead)}`);
  const words = late().map(
    ({ name, child }) => `${name} is not up after ${startLimitMs / 1_000} s:\n${lastWords(child)}`,
  );
  if (words.length > 0) throw new UserError(words.join("\n"));
}
