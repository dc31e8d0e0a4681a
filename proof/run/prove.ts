/** `bun run prove` once its command line is read and all that it needs is there: from the plan to the last line. */
import { join } from "node:path";
import { isSecured } from "../../infra/secure/access.ts";
import type { Machine } from "../../kit/machine.ts";
import { orderIdOf } from "../history/history.ts";
import { ignoredVariables } from "../load/environment.ts";
import { fittingRate } from "../load/held.ts";
import { lastWord } from "../plan/goals.ts";
import { scenarios } from "../plan/scenarios.ts";
import type { Schedule } from "../plan/schedule.ts";
import type { ProofSettings } from "../prove-arguments.ts";
import type { RunEvent } from "../report/events.ts";
import { outcomeTable } from "../report/outcome-table.ts";
import { writeReport } from "../report/report.ts";
import { summaryOf } from "../report/summary.ts";
import { openSystem } from "../system/system.ts";
import { type Experiment, experiment } from "./experiment.ts";
import { withTopology } from "./topology.ts";

/** Half of what is held is for what comes back and catches up. */
const rateShare = 1 / 4;

/** As the second signal ends a process (kit/child.ts). */
const killedAgain = 130;

/** @param folder for its report @returns the exit code */
export async function prove(
  settings: ProofSettings,
  schedule: Schedule,
  folder: string,
  machine: Machine,
): Promise<number> {
  const ignored = ignoredVariables(machine.env);
  if (ignored) machine.say(ignored);
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
  const tell = tellTo(machine);
  const found = await withTopology(machine, stage, async (topology) => {
    tellWhenStopped(machine, settings);
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

/** What an interrupt begins takes a while: whoever waits for it is told so, and what is left where they do not wait. */
function tellWhenStopped({ stop, say }: Machine, { fresh, project }: ProofSettings): void {
  const removed = fresh ? ", and the topology is removed" : "";
  stop.addEventListener("abort", () =>
    say(
      `Stopping: what was struck is healed first${removed}. A second Ctrl-C ends at once, and heals nothing.`,
    ),
  );
  const named = project === undefined ? "" : ` --project ${project}`;
  process.on("exit", (code) => {
    if (code === killedAgain)
      say(
        fresh
          ? `Ended without healing: bun run prove --fresh${named} removes what is left before it starts.`
          : `Ended without healing: ${isSecured(process.env) ? "SECURE=1 " : ""}bun run chaos heal${named} undoes what was struck.`,
      );
  });
}

const tellTo =
  ({ say }: Machine) =>
  ({ atMs, kind, text }: RunEvent): void =>
    say(`  ${new Date(atMs).toISOString().slice(11, 21)}  ${kind.padEnd(5)}  ${text}`);
