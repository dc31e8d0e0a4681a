/**
 * The producer tier: an order comes in over HTTP and is answered 202 once Kafka has it on enough replicas.
 * Run with `bun run producer`; src/config.ts lists the variables.
 */
import { ConfigError, producerConfig } from "./src/config.ts";
import { serve } from "./src/http/server.ts";
import { createIntakeApp } from "./src/intake/app.ts";
import { createIntake } from "./src/intake/intake.ts";
import { createIntakeMetrics } from "./src/intake/metrics.ts";
import { createLogger } from "./src/runtime/log.ts";
import { createRegistry } from "./src/runtime/metrics.ts";
import { onShutdown, startWith } from "./src/runtime/shutdown.ts";

const config = startWith(() => {
  const [word] = Bun.argv.slice(2);
  if (word !== undefined)
    throw new ConfigError(`${word}: a producer takes variables alone, which src/config.ts lists`);
  return producerConfig();
});
const log = createLogger("producer", config);
const registry = createRegistry(config.INSTANCE);
const metrics = createIntakeMetrics(registry);
const intake = createIntake(config, log, metrics);
const { app, routes } = createIntakeApp(config, { intake, metrics, registry, log });
let server: ReturnType<typeof serve> | undefined;

onShutdown({
  log,
  timeoutMs: config.DRAIN_TIMEOUT_MS,
  async drain() {
    const givenUp = await intake.drain();
    await server?.stop();
    if (givenUp > 0) throw new Error(`${givenUp} orders had no report in time, and were answered as unknown`);
  },
});

// Whoever finds it by name takes it for ready until its first check is over, as HAProxy does. So it listens when it is ready;
// where it is not by then, to say why.
const listensAtMs = performance.now() + 3_000;
while (intake.unready() !== undefined && performance.now() < listensAtMs) await Bun.sleep(10);
server = startWith(() => serve(app, config, log, routes));
