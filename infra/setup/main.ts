// `bun infra/setup/main.ts test` makes this machine ready for that command; see prepare.ts. Commands that take options
// read them first, and then do the same by themselves.
import { knownWord, ownCommandLine } from "../../kit/arguments.ts";
import { endInWords, stopWhenTold } from "../../kit/child.ts";
import { thisMachine } from "../../kit/machine.ts";
import { prepare } from "./prepare.ts";
import { commands } from "./requirements.ts";

const usage = `bun infra/setup/main.ts COMMAND     brings what it needs; one of: ${commands.join(", ")}
Exit code: 0 all is there; 1 what is missing; 2 the command was not understood.`;
const command = ownCommandLine(usage, {}, (_, [word = ""]) => knownWord("command", word, commands), 1);
const machine = thisMachine(stopWhenTold());
try {
  const { daemon, withoutContainers } = await prepare(command, machine);
  if (withoutContainers) machine.say(`Ready, but not for the tests on containers: ${withoutContainers}`);
  if (command === "test") await daemon?.stop();
  else if (daemon?.pid) machine.say(`The Docker daemon was started for this: "kill ${daemon.pid}" ends it.`);
} catch (error) {
  endInWords(error, machine.say);
}
