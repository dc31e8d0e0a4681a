// `bun infra/setup/main.ts demo|up|test|load|prove` makes this machine ready for that command; see prepare.ts.
import { Stopped, stopWhenTold } from "../../kit/child.ts";
import { thisMachine } from "../../kit/machine.ts";
import { UserError } from "../../kit/user-error.ts";
import { prepare } from "./prepare.ts";
import { commands } from "./requirements.ts";

const wanted = Bun.argv[2];
const command = commands.find((name) => name === wanted);
if (!command) {
  console.error(`${wanted ? `"${wanted}" is none of` : "Say which of"} these: ${commands.join(", ")}`);
  process.exit(1);
}
const machine = thisMachine(stopWhenTold());
try {
  const { daemon, withoutContainers } = await prepare(command, machine);
  if (withoutContainers) machine.say(`Ready, but not for the tests on containers: ${withoutContainers}`);
  if (command === "test") await daemon?.stop();
  else if (daemon?.pid) machine.say(`The Docker daemon was started for this: "kill ${daemon.pid}" ends it.`);
} catch (error) {
  if (!(error instanceof UserError || error instanceof Stopped)) throw error;
  machine.say(error.message);
  process.exitCode = 1;
}
