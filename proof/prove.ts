/**
 * The proof: real load and seeded faults on the real topology, then the clients' record against the topic, the ledger
 * and the dead letters. `bun run prove --suite quick`, `--faults consumer-kill,broker-kill-leader`, `--duration 600`.
 * Exit 0: the promise held. Exit 1: it was broken. Exit 2: it could not be put to the test.
 */
import { begin } from "../infra/setup/prepare.ts";
import { understood } from "../kit/arguments.ts";
import { stopWhenTold } from "../kit/child.ts";
import { thisMachine } from "../kit/machine.ts";
import { UserError } from "../kit/user-error.ts";
import { reportFolder, scheduleOf, settingsOf, usage } from "./prove-arguments.ts";

const { settings, schedule } = understood(() => {
  const settings = settingsOf(Bun.argv.slice(2));
  if (settings !== "help") return { settings, schedule: scheduleOf(settings) };
  console.log(usage);
  return process.exit(0);
});
const machine = thisMachine(stopWhenTold());
try {
  const folder = reportFolder(settings, schedule);
  await begin("prove", machine);
  // Not before: what it is made of is brought by that.
  const { prove } = await import("./run/prove.ts");
  process.exitCode = await prove(settings, schedule, folder, machine);
} catch (error) {
  // What was not foreseen is shown with its stack.
  machine.say(
    error instanceof UserError || machine.stop.aborted ? (error as Error).message : Bun.inspect(error),
  );
  machine.say("Nothing is proven, neither way.");
  process.exitCode = 2;
}
