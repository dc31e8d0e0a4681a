/** A producer inside the test's own process: its application on a real Kafka client, without a socket. */

import { until } from "../kit/until.ts";
import { producerConfig } from "../src/config.ts";
import { createIntakeApp } from "../src/intake/app.ts";
import { createIntake } from "../src/intake/intake.ts";
import { createIntakeMetrics } from "../src/intake/metrics.ts";
import { createLogger } from "../src/runtime/log.ts";
import { createRegistry } from "../src/runtime/metrics.ts";
import { sumOf } from "./tier-process.ts";

export type TestIntake = Awaited<ReturnType<typeof startIntake>>;

/** Starts one that logs nothing; with `await using` it is drained at the end. */
export function startIntake(env: Record<string, string>) {
  const config = producerConfig({ DRAIN_NOTICE_MS: "0", LOG_LEVEL: "fatal", ...env });
  const log = createLogger("producer", config);
  const registry = createRegistry(config.INSTANCE);
  const metrics = createIntakeMetrics(registry);
  const intake = createIntake(config, log, metrics);
  const { app } = createIntakeApp(config, { intake, metrics, registry, log });
  return {
    intake,
    request: async (path: string, init?: RequestInit): Promise<Response> => app.request(path, init),
    /** Posts an order, or whatever is given instead of one. */
    post: async (body: unknown, headers: Record<string, string> = {}, path = "/orders"): Promise<Response> =>
      app.request(path, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body),
      }),
    ready: () => until("the intake is ready", async () => (await app.request("/readyz")).ok),
    metric: async (name: string): Promise<number> => sumOf(await registry.metrics(), name),
    async [Symbol.asyncDispose]() {
      await intake.drain();
    },
  };
}
