/**
 * One process of bench/benchmarks/consumers.ts: a member of a group, or the ledger alone. It says "ready", waits for a
 * line, and from then on tells how many orders it has finished: handled and their offsets committed, or inserted.
 */
import { createHash } from "node:crypto";
import { consumerConfig } from "../../src/config.ts";
import { createHandlingMetrics } from "../../src/handling/metrics.ts";
import { startConsumer } from "../../src/handling/tier.ts";
import type { Entry } from "../../src/ledger/ledger.ts";
import { createLedger } from "../../src/ledger/open.ts";
import { createLogger } from "../../src/runtime/log.ts";
import { createRegistry } from "../../src/runtime/metrics.ts";
import { sampleOrder } from "../../src/sample.ts";
import { orderId } from "../../src/wire/order-id.ts";

/** As many as serve the ledger best; a consumer's transactions have their own bound (`LEDGER_BATCH_ORDERS`). */
const batchOrders = 1_000;
const pollMs = 10;

const [handlerMs = "", count = "", share = ""] = Bun.argv.slice(2);
const orders = Number(count);
const config = consumerConfig();
const ledger = createLedger(config.LEDGER_URL, {
  connections: config.HANDLER_CONCURRENCY,
  handlerTimeoutMs: config.HANDLER_TIMEOUT_MS,
});

await (handlerMs === "bare" ? bare() : consumer(Number(handlerMs)));

/** Says that it is ready, and waits until it is told to go. */
async function ready(): Promise<void> {
  console.log("ready");
  for await (const _ of console) return;
}

/** As many transactions at once as the consumer has. */
async function bare(): Promise<void> {
  await ledger.open([]);
  const entries = Array.from({ length: orders }, (_, n): Entry => {
    const customer = `c${n % 1_000}`;
    const id = orderId(customer, `${n}`);
    const order = sampleOrder(n, customer);
    const digest = createHash("sha256").update(id).digest("base64url");
    return {
      order: { ...order, id, placedAt: new Date().toISOString() },
      digest,
      partition: n % 12,
      offset: Math.floor(n / 12),
    };
  });
  await ready();
  let next = 0;
  const worker = async () => {
    while (next < orders) {
      const batch = entries.slice(next, next + batchOrders);
      next += batchOrders;
      const verdicts = await ledger.record(batch, async () => {});
      if (verdicts.some((verdict) => verdict !== "handled")) throw new Error("an order was not new");
    }
  };
  await Promise.all(Array.from({ length: config.HANDLER_CONCURRENCY }, worker));
  console.log(orders);
  // What it has cost is read while it is there.
  setInterval(() => undefined, 60_000);
}

async function consumer(takesMs: number): Promise<void> {
  const metrics = createHandlingMetrics(createRegistry("bench"));
  let handled = 0;
  startConsumer(config, {
    handler: {
      async apply() {
        if (takesMs > 0) await Bun.sleep(takesMs);
        handled += 1;
      },
    },
    migrations: [],
    ledger,
    metrics,
    log: createLogger("bench", config),
  });
  const sum = async (gauge: typeof metrics.committed) =>
    (await gauge.get()).values.reduce((all, { value }) => all + value, 0);
  // What is handed over to it later was handled by another in part.
  while ((await sum(metrics.owned)) !== Number(share)) await Bun.sleep(pollMs);
  await ready();
  for (let told = 0; ; await Bun.sleep(pollMs)) {
    // Reading this one sets the others.
    await metrics.owned.get();
    const committed = await sum(metrics.committed);
    if (committed === told) continue;
    told = committed;
    if (handled < committed) throw new Error(`${committed} offsets are committed, ${handled} orders handled`);
    console.log(committed);
  }
}
