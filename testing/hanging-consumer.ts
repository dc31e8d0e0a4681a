/**
 * A consumer as `consumer.ts` is one, whose handler writes the effect, leaves behind what fails without being waited for,
 * says so in the log, and then never ends: what has begun is not committed, however long one looks at it.
 */
import { randomBytes } from "node:crypto";
import { consumerConfig } from "../src/config.ts";
import { handler, migrations } from "../src/handle.ts";
import { createHandlingApp } from "../src/handling/app.ts";
import { isHandlers } from "../src/handling/attempt.ts";
import { createHandlingMetrics } from "../src/handling/metrics.ts";
import { startConsumer } from "../src/handling/tier.ts";
import { serve } from "../src/http/server.ts";
import { createLedger } from "../src/ledger/open.ts";
import { createLogger } from "../src/runtime/log.ts";
import { createRegistry } from "../src/runtime/metrics.ts";
import { onShutdown } from "../src/runtime/shutdown.ts";

const unreadable = new Proxy(new Error(), {
  get() {
    throw new Error("whoever looks at it fails");
  },
});
const config = consumerConfig();
const log = createLogger("consumer", config);
const registry = createRegistry(config.INSTANCE);
const metrics = createHandlingMetrics(registry);
const ledger = createLedger(config.LEDGER_URL, {
  connections: 1,
  handlerTimeoutMs: config.HANDLER_TIMEOUT_MS,
});
const { unready, waiting, drain } = startConsumer(config, {
  handler: {
    async apply(order, context) {
      if ("apply" in handler) await handler.apply(order, context);
      void Promise.reject(new Error("nobody waits for this"));
      void Promise.reject(unreadable);
      for (const later of [setTimeout, queueMicrotask, (listener: () => void) => randomBytes(1, listener)])
        later(() => {
          throw new Error("nor for this");
        });
      context.signal.addEventListener("abort", () => {
        throw new Error("nor for what it does when it is told to stop");
      });
      await Bun.sleep(10);
      log.info({ id: order.id }, "hanging");
      await new Promise(() => undefined);
    },
  },
  ...{ migrations, ledger, metrics, log },
});
serve(
  createHandlingApp({ ledger, unready, waiting, committed: async () => undefined, registry, log }),
  config,
  log,
);
onShutdown({ log, isStray: isHandlers, timeoutMs: config.DRAIN_TIMEOUT_MS, drain });
