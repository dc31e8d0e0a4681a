/**
 * `make demo`: the demo with the stage before it, for as long as it runs. Where its port is taken, or it can't be served,
 * the demo goes on without. STAGE_PORT moves it.
 */
import { ownToken, stagePort } from "../infra/stage-service.ts";
import { ownCommandLine } from "../kit/arguments.ts";
import { thisMachine } from "../kit/machine.ts";
import { isTaken } from "../kit/ports.ts";
import { runCommand } from "../proof/demo/command.ts";
import type { OpenOnlooker } from "../proof/demo/run.ts";
import { serveStage } from "./server.ts";
import { openEmbedded } from "./sources/embedded.ts";
import { openStage } from "./stage.ts";

const usage = "make demo   DEMO_SECONDS, DEMO_RATE, LB_PORT, LB_STATS_PORT and STAGE_PORT change it";
const port = ownCommandLine(usage, {}, () => stagePort(process.env));

const openOnlooker: OpenOnlooker = async (pipeline) => {
  if (port !== 0 && (await isTaken(port)))
    return {
      told: `the stage is left out: port ${port} is taken, and STAGE_PORT moves it`,
      hear: () => undefined,
      [Symbol.asyncDispose]: async () => undefined,
    };
  const stage = openStage(openEmbedded(pipeline));
  const served = await serveStage(stage, { port, token: await ownToken(thisMachine()) });
  return {
    told: `watch it, and break it: ${served.url}`,
    hear: ({ id, fate }) => stage.take({ id, fate }),
    async [Symbol.asyncDispose]() {
      await served.stop();
      await stage.close();
    },
  };
};

await runCommand(openOnlooker);
