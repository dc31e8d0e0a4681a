/**
 * `make demo`: the demo with the stage before it, for as long as it runs. Where its port is taken, or it can't be served,
 * the demo goes on without. STAGE_PORT moves it.
 */
import { begin } from "../infra/setup/prepare.ts";
import { ownToken, stagePort } from "../infra/stage-service.ts";
import { ownCommandLine } from "../kit/arguments.ts";
import { Stopped, stopWhenTold } from "../kit/child.ts";
import { thisMachine } from "../kit/machine.ts";
import { isTaken } from "../kit/ports.ts";
import { UserError } from "../kit/user-error.ts";
import type { Pipeline } from "../proof/demo/pipeline.ts";
import type { Onlooker, OpenOnlooker } from "../proof/demo/run.ts";
import { readSettings } from "../proof/demo/settings.ts";

const usage = "make demo   DEMO_SECONDS, DEMO_RATE, LB_PORT, LB_STATS_PORT and STAGE_PORT change it";
// What is wrong with either is told before anything is brought.
const { port } = ownCommandLine(usage, {}, () => ({
  port: stagePort(process.env),
  settings: readSettings(process.env),
}));

const nobody = (why: string) => ({
  told: `the stage is left out: ${why}`,
  hear: () => undefined,
  [Symbol.asyncDispose]: async () => undefined,
});
const openOnlooker: OpenOnlooker = async (pipeline) => {
  if (port !== 0 && (await isTaken(port))) return nobody(`port ${port} is taken, and STAGE_PORT moves it`);
  return openStageOf(pipeline).catch(({ message }: Error) => nobody(message));
};

async function openStageOf(pipeline: Pipeline): Promise<Onlooker> {
  const [{ serveStage }, { openEmbedded }, { openStage }] = await Promise.all([
    import("./server.ts"),
    import("./sources/embedded.ts"),
    import("./stage.ts"),
  ]);
  const token = await ownToken(machine);
  const stage = openStage(openEmbedded(pipeline));
  const served = await serveStage(stage, { port, token }).catch(async (error) => {
    await stage.close();
    throw error;
  });
  return {
    told: `watch it, and break it: ${served.url}`,
    hear: ({ toldId = "", ...answer }) => stage.take({ ...answer, toldId }),
    async [Symbol.asyncDispose]() {
      await served.stop();
      await stage.close();
    },
  };
}

const machine = thisMachine(stopWhenTold());
try {
  await begin("demo", machine);
} catch (error) {
  if (!(error instanceof UserError || error instanceof Stopped)) throw error;
  machine.say(error.message);
  process.exit(error instanceof Stopped ? 130 : 1);
}
// Not before: what it is made of is brought by that.
const { runCommand } = await import("../proof/demo/command.ts");
await runCommand(openOnlooker);
