/** One side of bench/consumer-ledger.ts in a process of its own; its last line of output is its result. */
import { createHash } from "node:crypto";
import { consumerConfig } from "../src/config.ts";
import { createHandlingMetrics } from "../src/handling/metrics.ts";
import { startConsumer } from "../src/handling/tier.ts";
import type { Entry } from "../src/ledger/ledger.ts";
import { createLedger } from "../src/ledger/open.ts";
import { createLogger } from "../src/log.ts";
import { createRegistry } from "../src/metrics.ts";
import { orderId } from "../src/order-id.ts";

export type Result = { orders: number; seconds: number; cpuSeconds: number };

const batchOrders = 1_000;
const pollMs = 5;

const [side = "", count = ""] = Bun.argv.slice(2);
const orders = Number(count);
const config = consumerConfig();
const ledger = createLedger(config.LEDGER_URL, {
  connections: config.HANDLER_CONCURRENCY,
  handlerTimeoutMs: config.HANDLER_TIMEOUT_MS,
});
const empty = async () => {};

const result = side === "bare" ? await bare() : await consumer();
console.log(JSON.stringify(result));
process.exit(0);

/** As many transactions at once as the consumer has. */
async function bare(): Promise<Result> {
  await ledger.open([]);
  const entries = Array.from({ length: orders }, (_, n): Entry => {
    const customer = `c${n % 1_000}`;
    const id = orderId(customer, `${n}`);
    const order = { customer, coffee: "latte", size: "medium", quantity: 2, milk: "oat" } as const;
    const digest = createHash("sha256").update(id).digest("base64url");
    return {
      order: { ...order, id, placedAt: new Date().toISOString() },
      digest,
      partition: n % 12,
      offset: Math.floor(n / 12),
    };
  });
  let next = 0;
  return measured(async () => {
    const worker = async () => {
      while (next < orders) {
        const batch = entries.slice(next, next + batchOrders);
        next += batchOrders;
        const verdicts = await ledger.record(batch, empty);
        if (verdicts.some((verdict) => verdict !== "handled")) throw new Error("an order was not new");
      }
    };
    await Promise.all(Array.from({ length: config.HANDLER_CONCURRENCY }, worker));
  });
}

/** From the first order in the handler to the last offset committed. */
async function consumer(): Promise<Result> {
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  let handled = 0;
  const registry = createRegistry("bench");
  const metrics = createHandlingMetrics(registry);
  const running = startConsumer(config, {
    handle: async () => {
      if (handled === 0) begin();
      handled += 1;
    },
    schema: [],
    ledger,
    metrics,
    log: createLogger("bench", config),
  });
  await begun;
  return measured(async () => {
    for (;;) {
      await Bun.sleep(pollMs);
      if (handled < orders) continue;
      const gauge = await metrics.committed.get();
      if (gauge.values.reduce((sum, { value }) => sum + value, 0) === orders) break;
    }
    await running.drain();
    if (handled !== orders) throw new Error(`${handled} calls for ${orders} orders`);
  });
}

async function measured(work: () => Promise<void>): Promise<Result> {
  const startMs = performance.now();
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return { orders, seconds: (performance.now() - startMs) / 1_000, cpuSeconds: (user + system) / 1e6 };
}
