/** The embedded pipeline with a stage before it, on ports of its own: real tiers, real faults, a real page. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../kit/until.ts";
import { startPipeline } from "../../proof/demo/pipeline.ts";
import { createProcesses } from "../../proof/demo/processes.ts";
import { serveStage } from "../server.ts";
import { openEmbedded } from "../sources/embedded.ts";
import { openStage, type StageOptions } from "../stage.ts";

export const token = "a-token-of-the-test";
const startLimitMs = 120_000;

/** Starts all of it, and resolves when every instance is up and every partition has its owner. */
export async function startEmbeddedStage(options: StageOptions = {}) {
  const folder = mkdtempSync(join(tmpdir(), "coffee-orders-stage-test-"));
  const processes = createProcesses(folder);
  const settings = { lbPort: 0, lbStatsPort: 0, ratePerS: 0, durationS: 0 };
  const pipeline = await startPipeline(settings, processes, folder, new AbortController().signal);
  const serve = async (port: number) => {
    const stage = openStage(openEmbedded(pipeline), options);
    return { stage, served: await serveStage(stage, { port, token }) };
  };
  let { stage, served } = await serve(0);
  const whole = () => {
    const { instances, partitions } = stage.state();
    const isUp =
      Object.values(instances).length >= 11 && Object.values(instances).every((one) => one.state === "up");
    return isUp && Object.values(partitions).every(({ owner }) => owner !== undefined);
  };
  await until("all are up", whole, startLimitMs);
  const end = async () => {
    await served.stop();
    await stage.close();
  };
  return {
    url: served.url,
    stage: () => stage,
    pipeline,
    whole,
    /** Ends the stage and starts another one at the same address, the pipeline untouched. */
    async restart(): Promise<void> {
      await end();
      ({ stage, served } = await serve(served.port));
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await end();
      await processes.stop(0);
      processes.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
