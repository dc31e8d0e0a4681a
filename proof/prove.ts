/**
 * The proof: real load and seeded faults on the real topology, then the clients' record against the topic, the ledger
 * and the dead letters. `bun run prove --suite quick`, `--faults consumer-kill,broker-kill-leader`, `--duration 600`.
 * Exit 0: the promise held. Exit 1: it was broken. Exit 2: it could not be put to the test.
 */
import { accessSync, constants, mkdirSync } from "node:fs";
import { join } from "node:path";
import { stopWhenTold } from "../kit/child.ts";
import { thisMachine } from "../kit/machine.ts";
import { UserError } from "../kit/user-error.ts";
import { orderIdOf } from "./history/history.ts";
import { ignoredVariables } from "./load/environment.ts";
import { fittingRate } from "./load/held.ts";
import { lastWord } from "./plan/goals.ts";
import { scenarios } from "./plan/scenarios.ts";
import { plan } from "./plan/schedule.ts";
import { settingsOf, usage } from "./prove-arguments.ts";
import type { RunEvent } from "./report/events.ts";
import { outcomeTable } from "./report/outcome-table.ts";
import { writeReport } from "./report/report.ts";
import { summaryOf } from "./report/summary.ts";
import { type Experiment, experiment } from "./run/experiment.ts";
import { withTopology } from "./run/topology.ts";
import { openSystem } from "./system/system.ts";

/** Half of what is held is for what comes back and catches up. */
const rateShare = 1 / 4;

const machine = thisMachine(stopWhenTold());
try {
  const settings = settingsOf(Bun.argv.slice(2));
  if (settings === "help") console.log(usage);
  else process.exitCode = await prove(settings);
} catch (error) {
  // What was not foreseen is shown with its stack.
  machine.say(
    error instanceof UserError || machine.stop.aborted ? (error as Error).message : Bun.inspect(error),
  );
  machine.say("Nothing is proven, neither way.");
  process.exitCode = 2;
}

async function prove(settings: Exclude<ReturnType<typeof settingsOf>, "help">): Promise<number> {
  const ignored = ignoredVariables(machine.env);
  if (ignored) machine.say(ignored);
  const schedule = plan(settings);
  const { seed, rounds, expectedMs } = schedule;
  const minutes = Math.ceil(expectedMs / 60_000);
  machine.say(
    `seed ${seed}: ${rounds.length === 1 ? "1 round" : `${rounds.length} rounds`} of faults, about ${minutes} min`,
  );
  const fillable = rounds.some(({ steps }) =>
    steps.some(({ scenario }) => scenarios[scenario].fault === "disk-full"),
  );
  const stage = { ...settings, fillable };
  const { stop } = machine;
  const folder = join(settings.out, seed.replace(/[^\w.-]/g, "_"));
  writable(folder);
  const found = await withTopology(machine, stage, async (topology) => {
    const system = await openSystem(topology);
    const fitting = {
      given: settings.ratePerS,
      share: rateShare,
      url: system.url,
      access: system.access,
      stop,
    };
    const ratePerS = await fittingRate(fitting, machine.say);
    return { ratePerS, ...(await experiment(system, schedule, { ratePerS, tell, stop })) };
  });
  const { run, outcomes, broken, untested } = found;
  // What was found counts, whatever becomes of its report.
  console.log(`${summaryOf(run)}\n\n${outcomeTable(outcomes)}\n`);
  try {
    console.log(`${(await reported(folder, found)).join("\n")}\n`);
  } catch (error) {
    machine.say(`The report could not be written to ${folder}: ${(error as Error).message}`);
  }
  console.log(`seed ${seed}: ${lastWord(broken, outcomes, untested)}`);
  if (untested !== undefined) return 2;
  return broken.length === 0 ? 0 : 1;
}

/** Said before the run, not after half an hour of it. @throws UserError */
function writable(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw new UserError(`No report can be written: ${(error as Error).message}`);
  }
}

/** Writes all that a run is looked into by. @returns the paths of what is read first */
async function reported(folder: string, found: Experiment & { ratePerS: number }): Promise<string[]> {
  const { run, ratePerS, outcomes, broken } = found;
  const outcomesPath = join(folder, "outcomes.json");
  await Bun.write(outcomesPath, JSON.stringify({ seed: run.seed, ratePerS, outcomes, broken }, null, 2));
  // What a finding of the verdict, which names an order's id, is traced back by.
  const setBack = run.history.client.filter(({ firstStatus }) => firstStatus !== 202);
  const lines = setBack.map((answer) => `${JSON.stringify({ orderId: orderIdOf(answer), ...answer })}\n`);
  await Bun.write(join(folder, "set-back.jsonl"), lines.join(""));
  const { htmlPath, jsonPath } = await writeReport(run, folder);
  return [htmlPath, jsonPath, outcomesPath];
}

function tell({ atMs, kind, text }: RunEvent): void {
  machine.say(`  ${new Date(atMs).toISOString().slice(11, 21)}  ${kind.padEnd(5)}  ${text}`);
}
