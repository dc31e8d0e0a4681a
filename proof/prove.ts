/**
 * The proof: real load and seeded faults on the real topology, then the clients' record against the topic, the ledger
 * and the dead letters. `bun run prove --suite quick`, `--faults consumer-kill,broker-kill-leader`, `--duration 600`.
 * Exit 0: the promise held. Exit 1: it was broken. Exit 2: it could not be put to the test.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { stopWhenTold } from "../kit/child.ts";
import { thisMachine } from "../kit/machine.ts";
import { UserError } from "../kit/user-error.ts";
import { ignoredVariables } from "./load/environment.ts";
import { lastWord } from "./plan/goals.ts";
import { scenarios } from "./plan/scenarios.ts";
import { plan } from "./plan/schedule.ts";
import { settingsOf, usage } from "./prove-arguments.ts";
import type { RunEvent } from "./report/events.ts";
import { outcomeTable } from "./report/outcome-table.ts";
import { writeReport } from "./report/report.ts";
import { experiment } from "./run/experiment.ts";
import { withTopology } from "./run/stage.ts";
import { openSystem } from "./system/system.ts";

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
    `seed ${seed}: ${rounds.length} rounds of faults at ${settings.ratePerS} orders/s, about ${minutes} min`,
  );
  const fillable = rounds.some(({ steps }) =>
    steps.some(({ scenario }) => scenarios[scenario].fault === "disk-full"),
  );
  const stage = { ...settings, fillable };
  const { run, outcomes, broken } = await withTopology(machine, stage, async (topology) =>
    experiment(await openSystem(topology), schedule, { ...settings, tell, stop: machine.stop }),
  );
  const folder = join(settings.out, seed.replace(/[^\w.-]/g, "_"));
  mkdirSync(folder, { recursive: true });
  const { htmlPath, jsonPath, summary } = await writeReport(run, folder);
  const outcomesPath = join(folder, "outcomes.json");
  await Bun.write(
    outcomesPath,
    JSON.stringify({ seed, ratePerS: settings.ratePerS, outcomes, broken }, null, 2),
  );
  console.log(`${summary}\n\n${outcomeTable(outcomes)}\n`);
  console.log(`${htmlPath}\n${jsonPath}\n${outcomesPath}\n`);
  console.log(`seed ${seed}: ${lastWord(broken, outcomes)}`);
  return broken.length === 0 ? 0 : 1;
}

function tell({ atMs, kind, text }: RunEvent): void {
  machine.say(`  ${new Date(atMs).toISOString().slice(11, 21)}  ${kind.padEnd(5)}  ${text}`);
}
