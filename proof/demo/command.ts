// The demo as a command: the whole pipeline on this machine. Orders flow while a consumer and a producer are killed with -9;
// in the end comes the verdict, what the client was told against what the ledger has. DEMO_SECONDS, DEMO_RATE,
// LB_PORT and LB_STATS_PORT change it. Exit 0: the promise was kept; 1: it was not, or there was no run; 130: told
// to end before any order. However it ends, no process of it is left.
import { rmSync } from "node:fs";
import { Stopped, stopWhenTold } from "../../kit/child.ts";
import { UserError } from "../../kit/user-error.ts";
import { createProcesses, temporaryFolder } from "./processes.ts";
import { type OpenOnlooker, runDemo } from "./run.ts";
import { openScreen } from "./screen/screen.ts";
import { readSettings } from "./settings.ts";

/** Runs it to its end. @param openOnlooker who watches, once all is up */
export async function runCommand(openOnlooker?: OpenOnlooker): Promise<void> {
  const told = stopWhenTold();
  const unseen = new AbortController();
  const screen = openScreen(process.stdout, process.env, () =>
    unseen.abort(new Stopped("the end of its output")),
  );
  const stop = AbortSignal.any([told, unseen.signal]);
  const folder = temporaryFolder("coffee-orders-demo-");
  const processes = createProcesses(folder);
  let keep = false;
  process.on("exit", () => {
    processes.kill();
    if (!keep) rmSync(folder, { recursive: true, force: true });
  });

  try {
    const settings = readSettings(process.env);
    const held = await runDemo({ settings, screen, processes, folder, stop, openOnlooker });
    keep = !held;
    process.exitCode = held ? 0 : 1;
  } catch (error) {
    screen.leave();
    if (!(error instanceof UserError || error instanceof Stopped)) throw error;
    screen.say(error.message);
    process.exitCode = error instanceof Stopped ? 130 : 1;
  } finally {
    await processes.stop(0);
  }
}
