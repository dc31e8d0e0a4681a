/**
 * The consumer tier: an order is handled, its effect and its ledger row are committed together, and only then is its
 * offset committed to Kafka. Run with `bun run consumer`; src/config.ts lists the variables.
 */
import { ConfigError, consumerConfig } from "./src/config.ts";
import { handler, migrations } from "./src/handle.ts";
import { createHandlingApp } from "./src/handling/app.ts";
import { isHandlers } from "./src/handling/attempt.ts";
import { createHandlingMetrics } from "./src/handling/metrics.ts";
import { startConsumer } from "./src/handling/tier.ts";
import { serve } from "./src/http/server.ts";
import { createLedger } from "./src/ledger/open.ts";
import { createLogger } from "./src/runtime/log.ts";
import { createRegistry } from "./src/runtime/metrics.ts";
import { onShutdown, startWith } from "./src/runtime/shutdown.ts";

const config = startWith(() => {
  const [word] = Bun.argv.slice(2);
  if (word !== undefined)
    throw new ConfigError(`${word}: a consumer takes variables alone, which src/config.ts lists`);
  return consumerConfig();
});
const log = createLogger("consumer", config);
const registry = createRegistry(config.INSTANCE);
const metrics = createHandlingMetrics(registry);
const options = { connections: config.HANDLER_CONCURRENCY, handlerTimeoutMs: config.HANDLER_TIMEOUT_MS };
const ledger = startWith(
  () => createLedger(config.LEDGER_URL, options),
  "cannot start with this LEDGER_URL, where a password has %40 for @, %23 for # and so on: ",
);
const consumer = startConsumer(config, { handler, migrations, ledger, metrics, log });
const app = createHandlingApp({ ...consumer, ledger, registry, log });
const server = startWith(() => serve(app, config, log));

onShutdown({
  log,
  isStray: isHandlers,
  timeoutMs: config.DRAIN_TIMEOUT_MS,
  async drain() {
    await consumer.drain();
    await server.stop();
  },
});
