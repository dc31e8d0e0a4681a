// The time in which orders flow: a consumer and a producer are killed meanwhile, and at its end everything that was
// accepted is waited for. A person sees how it goes.
import { countedDown } from "../../kit/until.ts";
import { UserError } from "../../kit/user-error.ts";
import { aborted } from "./aborted.ts";
import { startClient } from "./client.ts";
import type { LedgerReader } from "./ledger.ts";
import type { Monitor } from "./monitor.ts";
import type { Instance, Pipeline } from "./pipeline.ts";
import { lastWords } from "./processes.ts";
import type { Screen } from "./screen/screen.ts";
import { type Picture, tableOf } from "./screen/view.ts";
import type { DemoSettings } from "./settings.ts";
import { watch } from "./takeover.ts";
import { type FinalAnswer, judge } from "./verdict.ts";

// Without anything more that is handled. A mock group drops members that wait for a rebalance a second longer than planned,
// and begins anew.
const drainLimitMs = 120_000;
const pollMs = 250;
const redrawMs = 500;
const tableMs = 10_000;
/** Who is killed, and at which part of the time. */
const kills = [
  { name: "consumer-2", at: 0.1 },
  { name: "producer-2", at: 0.5 },
];

export interface Flow {
  settings: DemoSettings;
  pipeline: Pipeline;
  monitor: Monitor;
  ledger: LedgerReader;
  screen: Screen;
  tell: (event: string) => void;
  /** Takes the final answer to each order, as it comes. */
  hear: (answer: FinalAnswer) => void;
  /** Told to end before the time is over. */
  stop: AbortSignal;
}

/** Resolves with the client's record. @throws UserError when it could not go on to its end */
export async function letOrdersFlow(stage: Flow): Promise<readonly FinalAnswer[]> {
  const { settings, pipeline, monitor, ledger, screen, tell, hear, stop } = stage;
  const durationMs = settings.durationS * 1_000;
  const broken = brokenPillar(pipeline);
  const over = AbortSignal.any([stop, broken, AbortSignal.timeout(durationMs)]);
  const ending = new AbortController();
  using client = startClient(pipeline.balancerUrl, settings.ratePerS, hear);
  const unreplaced = new Set<Instance>();
  const watching = pipeline.instances.map((instance) =>
    watch(instance, { pipeline, monitor, client, tell, unreplaced, over, ending: ending.signal }),
  );

  const startMs = performance.now();
  const picture = (): Picture => ({
    flowingS: (performance.now() - startMs) / 1_000,
    durationS: settings.durationS,
    rows: pipeline.instances.map((instance) => ({
      name: instance.name,
      tier: instance.tier,
      pid: instance.child.pid,
      running: instance.child.running,
      status: monitor.status(instance),
    })),
    ...client.counts(),
    ...ledger.counts(),
  });
  using _drawing = screen.live
    ? setInterval(() => screen.show(tableOf(picture())), redrawMs)
    : setInterval(() => screen.say(tableOf(picture()).join("\n")), tableMs);

  try {
    await killSome(pipeline, durationMs, over);
    tell(
      stop.aborted ? "stopped: waiting for what was accepted" : "time is over: waiting for what was accepted",
    );
    await Promise.race([client.stop(), aborted(broken)]);
    const missing = () => {
      const { handled, dead } = ledger.counts();
      const unhandled = client.counts().accepted - handled - dead;
      return unhandled > 0 ? unhandled : judge(client.answers, ledger.read()).lost;
    };
    await countedDown(() => (broken.aborted ? 0 : missing() + unreplaced.size), drainLimitMs, pollMs);
    broken.throwIfAborted();
    screen.show(tableOf(picture()));
    const left = missing();
    tell(
      left === 0
        ? `everything accepted is handled${ledger.counts().dead > 0 ? ", or kept as a dead letter" : ""}`
        : `${left} are still missing, and for ${drainLimitMs / 1_000} s nothing more was handled`,
    );
    return client.answers;
  } finally {
    ending.abort();
    await Promise.all(watching);
  }
}

/** Kills at the planned times; resolves when the time is over. */
async function killSome({ instances }: Pipeline, durationMs: number, over: AbortSignal): Promise<void> {
  const timers = kills.map(({ name, at }) =>
    setTimeout(() => {
      const instance = instances.find((one) => one.name === name);
      if (instance?.child.running) instance.child.signal("SIGKILL");
    }, at * durationMs),
  );
  await aborted(over);
  for (const timer of timers) clearTimeout(timer);
}

/** Set off when something ends that everything rests on. */
function brokenPillar({ pillars }: Pipeline): AbortSignal {
  const broken = new AbortController();
  for (const pillar of pillars)
    pillar.ended.then((how) =>
      broken.abort(new UserError(`${pillar.name} ended with ${how}:\n${lastWords(pillar)}`)),
    );
  return broken.signal;
}
