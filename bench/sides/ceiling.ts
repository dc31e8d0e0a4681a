/** The producer's route without Kafka: HTTP, validation, id, metrics and answer, and nothing is sent anywhere. */
import { producerConfig } from "../../src/config.ts";
import { serve } from "../../src/http/server.ts";
import { createIntakeApp } from "../../src/intake/app.ts";
import type { Intake } from "../../src/intake/intake.ts";
import { createIntakeMetrics } from "../../src/intake/metrics.ts";
import { createLogger } from "../../src/runtime/log.ts";
import { createRegistry } from "../../src/runtime/metrics.ts";
import { orderId } from "../../src/wire/order-id.ts";

const config = producerConfig();
const log = createLogger("ceiling", config);
const registry = createRegistry(config.INSTANCE);
const intake: Intake = {
  obstacle: () => undefined,
  unready: () => undefined,
  reserve: () => () => undefined,
  submit: async (order, { key }) => ({ id: orderId(order.customer, key), partition: 0, offset: 0 }),
  drain: async () => 0,
};
const metrics = createIntakeMetrics(registry);
const { app, routes } = createIntakeApp(config, { intake, metrics, registry, log });
serve(app, config, log, routes);
