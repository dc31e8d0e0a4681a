/**
 * `bun run stage`: the live page of whatever `make up` started, until Ctrl-C; `--read-only` for showing it. `make up`
 * starts the same in the background. STAGE_PORT moves it.
 */

import { begin } from "../infra/setup/prepare.ts";
import { noteService, ownToken, stageAt, stagePort } from "../infra/stage-service.ts";
import { openTopology } from "../infra/topology.ts";
import { ownCommandLine } from "../kit/arguments.ts";
import { endInWords, stopWhenTold } from "../kit/child.ts";
import { thisMachine } from "../kit/machine.ts";
import { isTaken } from "../kit/ports.ts";
import { comesTrue } from "../kit/until.ts";
import { UserError } from "../kit/user-error.ts";

const usage = `bun run stage [--read-only] [--project NAME]
  --read-only      shows, and lets nobody do anything
  --project NAME   another Compose project than that of make up`;
const foreverMs = Number.POSITIVE_INFINITY;

const options = { "read-only": { type: "boolean", default: false }, project: { type: "string" } } as const;
const { readOnly, project } = ownCommandLine(usage, options, (given) => ({
  readOnly: given["read-only"] ?? false,
  project: given.project,
}));
const stop = stopWhenTold();
try {
  const machine = thisMachine(stop);
  const port = stagePort(process.env);
  if (port !== 0 && (await isTaken(port))) {
    const running = stageAt(machine, port);
    const taken = running ? `A stage runs there already: ${running}` : `Port ${port} of 127.0.0.1 is taken.`;
    throw new UserError(`${taken}\nSTAGE_PORT moves this one.`);
  }
  await begin("up", machine);
  // Not before: what they are made of is brought by that.
  const [{ serveStage }, { openContainers }, { openStage }] = await Promise.all([
    import("./server.ts"),
    import("./sources/containers.ts"),
    import("./stage.ts"),
  ]);
  const topology = openTopology({ ...(project && { project }) });
  await topology.refuseOther("bun run stage");
  const { name } = await topology.config();
  if ((await topology.containers()).length === 0) throw new UserError("The topology is not up: make up");
  const stage = openStage(await openContainers(topology), { readOnly });
  const served = await serveStage(stage, { port, token: await ownToken(machine) });
  const note = await noteService(machine, name, served.url);
  console.log(served.url);
  try {
    await comesTrue(() => stop.aborted, foreverMs, 100);
  } finally {
    await served.stop();
    await stage.healStruck().catch(({ message }: Error) => console.error(message));
    await stage.close();
    // Whoever waits for its end, as make down does, goes on only when nothing more is done to the topology.
    await note.remove();
  }
} catch (error) {
  endInWords(error);
}
