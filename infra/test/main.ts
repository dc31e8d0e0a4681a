// `make test`: brings what the tests need, runs the suites, and stops what it started, however it ends. With names
// of suites after it, only these. Its last line is "N passed, N failed"; nothing is skipped where CI=true.
import { join } from "node:path";
import { knownWord, ownCommandLine } from "../../kit/arguments.ts";
import { Stopped, stopWhenTold } from "../../kit/child.ts";
import { thisMachine, withTools } from "../../kit/machine.ts";
import { UserError } from "../../kit/user-error.ts";
import { type Prepared, prepare } from "../setup/prepare.ts";
import { runSuites } from "./run-suites.ts";
import { suites } from "./suites.ts";

const names = suites.map(({ name }) => name);
const usage = `make test [SUITES="NAME NAME ..."]     all of them by default: ${names.join(", ")}
Exit code: 0 all passed; 1 not all, or nothing could be run; 2 the command was not understood.`;
const wanted = ownCommandLine(
  usage,
  {},
  (_, words) => words.map((word) => knownWord("suite", word, names)),
  names.length,
);

const chosen = suites.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
const machine = thisMachine(stopWhenTold());
let prepared: Prepared | undefined;
let passed = false;
try {
  prepared = await prepare(
    "test",
    machine,
    chosen.some(({ onContainers }) => onContainers === true),
  );
  passed = await runSuites(
    chosen,
    {
      root: join(import.meta.dir, "..", ".."),
      env: withTools(machine),
      stop: machine.stop,
      withoutContainers: prepared.withoutContainers,
      maySkip: machine.env.CI !== "true",
    },
    console.log,
  );
} catch (error) {
  if (!(error instanceof UserError || error instanceof Stopped)) throw error;
  console.log(error.message);
  if (error instanceof UserError) console.log("\n0 passed, 1 failed");
} finally {
  await prepared?.daemon?.stop();
}
process.exitCode = passed ? 0 : 1;
