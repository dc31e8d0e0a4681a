// `bun native/build.ts` (or `bun run native`): sees to it that node-rdkafka runs on this Bun. Afterwards the addon lies
// in node_modules and has been seen to send and read a message; or the exit code is 1 and one message says why not.
// What was built once is used again, by every clone of the project. If all is in place, it takes a moment.
import { existsSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { ownCommandLine } from "../kit/arguments.ts";
import { endInWords, stopWhenTold } from "../kit/child.ts";
import { type Machine, thisMachine } from "../kit/machine.ts";
import { step } from "../kit/step.ts";
import { UserError } from "../kit/user-error.ts";
import { addonPath, isReady, markReady, packageDir, put } from "./addon.ts";
import { platformFaults, thisPlatform } from "./faults.ts";
import { madeOnce } from "./made-once.ts";
import { packAddon, takePrebuilt } from "./prebuilt.ts";
import { addonKey, makeAddon } from "./recipe.ts";
import { versions } from "./versions.ts";

const SMOKE_LIMIT_MS = 60_000;
const smoke = join(import.meta.dir, "smoke.ts");

async function build(machine: Machine): Promise<void> {
  const faults = platformFaults(thisPlatform());
  if (faults.length > 0) throw new UserError(["node-rdkafka can't be had here:", ...faults].join("\n  "));
  if (!existsSync(packageDir)) throw new UserError("Dependencies are not installed yet: bun install");
  const key = addonKey();
  if (isReady(key)) return;
  const from = machine.env.COFFEE_NATIVE_PREBUILT;
  const made = await (from ? prebuilt(machine, from, key) : makeAddon(machine));
  put(made);
  try {
    const argv = [process.execPath, smoke];
    await step(machine, "sending and reading a message", argv, { limitMs: SMOKE_LIMIT_MS });
  } catch (error) {
    rmSync(dirname(made), { recursive: true, force: true }); // the next one starts anew
    throw error;
  }
  markReady(key);
}

/** Takes one that was built elsewhere, and gives its path. */
async function prebuilt(machine: Machine, from: string, key: string): Promise<string> {
  const folder = await madeOnce(machine, `addon-${key}`, (fresh) => takePrebuilt(machine, from, key, fresh));
  return join(folder, basename(addonPath));
}

const usage = `bun run native                          builds it, where it is not there yet
bun run native -- --pack [FOLDER]       packs it for others of this kind (out/native)
COFFEE_NATIVE_PREBUILT=PATH|URL bun run native
                                        takes one that was packed, whose digest is in PATH.sha256, or in
                                        COFFEE_NATIVE_PREBUILT_SHA256
Exit code: 0 it is in its place; 1 why it is not; 2 the command was not understood.`;
const { pack, folder } = ownCommandLine(
  usage,
  { pack: { type: "boolean", default: false } },
  (values, [folder = join(import.meta.dir, "..", "out", "native")]) => ({ pack: values.pack, folder }),
  1,
);
const machine = thisMachine(stopWhenTold());
try {
  await build(machine);
  const { nodeRdkafka, librdkafka, bun } = versions;
  machine.say(`node-rdkafka ${nodeRdkafka} with librdkafka ${librdkafka} is ready for Bun ${bun}.`);
  if (pack) console.log(await packAddon(addonKey(), folder));
} catch (error) {
  endInWords(error, machine.say);
}
