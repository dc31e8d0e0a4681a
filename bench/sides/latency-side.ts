/**
 * The consumer of bench/benchmarks/latency.ts: for each line that it gets it tells which orders were handled since the
 * last, and when.
 */
import { consumerConfig } from "../../src/config.ts";
import { handler, migrations } from "../../src/handle.ts";
import { createHandlingMetrics } from "../../src/handling/metrics.ts";
import { startConsumer } from "../../src/handling/tier.ts";
import { createLedger } from "../../src/ledger/open.ts";
import { createLogger } from "../../src/runtime/log.ts";
import { createRegistry } from "../../src/runtime/metrics.ts";

const pollMs = 10;

const config = consumerConfig();
const ledger = createLedger(config.LEDGER_URL, {
  connections: config.HANDLER_CONCURRENCY,
  handlerTimeoutMs: config.HANDLER_TIMEOUT_MS,
});
const metrics = createHandlingMetrics(createRegistry("bench"));
let handled: [id: string, atMs: number][] = [];
startConsumer(config, {
  handler,
  migrations,
  ledger: {
    ...ledger,
    async record(entries, apply, statementTimeoutMs) {
      const verdicts = await ledger.record(entries, apply, statementTimeoutMs);
      const nowMs = performance.timeOrigin + performance.now();
      for (const { order } of entries) handled.push([order.id, nowMs]);
      return verdicts;
    },
  },
  metrics,
  log: createLogger("bench", config),
});
while ((await metrics.owned.get()).values[0]?.value === 0) await Bun.sleep(pollMs);
console.log("ready");
for await (const _ of console) {
  console.log(JSON.stringify(handled));
  handled = [];
}
