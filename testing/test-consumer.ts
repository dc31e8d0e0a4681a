/** A consumer inside the test's own process, with a handler of the test's, and orders for it to handle. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../kit/until.ts";
import { consumerConfig } from "../src/config.ts";
import { createHandlingApp } from "../src/handling/app.ts";
import type { Handler } from "../src/handling/handler.ts";
import { createHandlingMetrics } from "../src/handling/metrics.ts";
import { startConsumer } from "../src/handling/tier.ts";
import { createLedger } from "../src/ledger/open.ts";
import { createLogger } from "../src/runtime/log.ts";
import { createRegistry } from "../src/runtime/metrics.ts";
import { sampleOrder } from "../src/sample.ts";
import { orderId } from "../src/wire/order-id.ts";
import { type OrdersCluster, partitionCount, type RawRecord } from "./kafka.ts";
import { sumOf } from "./tier-process.ts";

/** A new SQLite ledger in a folder of its own; removed at the end. */
export function temporaryLedger() {
  const directory = mkdtempSync(join(tmpdir(), "coffee-orders-consumer-"));
  return {
    url: `sqlite:${join(directory, "ledger.sqlite")}`,
    [Symbol.dispose]: () => rmSync(directory, { recursive: true }),
  };
}

let places = 0;

export type Place = ReturnType<typeof newPlace>;

/** Topics, a group and a SQLite ledger of a test's own, on a cluster that it shares. */
export function newPlace(cluster: OrdersCluster) {
  places += 1;
  const topic = `orders-${places}`;
  const deadTopic = `${topic}.dead`;
  for (const name of [topic, deadTopic])
    cluster.createTopic(name, { partitions: partitionCount, replicationFactor: 3 });
  const ledger = temporaryLedger();
  const committed = () => cluster.committed(topic, topic);
  return {
    topic,
    deadTopic,
    env: {
      ...cluster.env,
      ORDERS_TOPIC: topic,
      DEAD_TOPIC: deadTopic,
      CONSUMER_GROUP: topic,
      LEDGER_URL: ledger.url,
    },
    put: (records: readonly RawRecord[]) => cluster.put(topic, records),
    letters: () => cluster.read(deadTopic),
    committed,
    /** Waits until the group is done with exactly so many records. */
    commits: (count: number) =>
      until(`${count} records are committed`, async () => (await committed()) === count),
    [Symbol.dispose]: () => ledger[Symbol.dispose](),
  };
}

/** The record of the n-th sample as a producer would write it. */
export function recordOf(key: string, { n = 0, customer = "c42", partition = 0 } = {}): RawRecord {
  const order = sampleOrder(n, customer);
  const id = orderId(customer, key);
  const placedAt = new Date().toISOString();
  return { key: Buffer.from(id), value: JSON.stringify({ ...order, id, placedAt }), partition };
}

/** The id of an order in a record. */
export const idOf = ({ value }: { value: RawRecord["value"] }): string => JSON.parse(String(value)).id;

let batches = 0;

/** New orders of so many customers, one after another, over so many partitions. */
export function recordsOf(count: number, customers = 4, partitions = 12): RawRecord[] {
  batches += 1;
  return Array.from({ length: count }, (_, n) =>
    recordOf(`${batches}/${n}`, { customer: `c${n % customers}`, partition: n % partitions }),
  );
}

export type TestConsumer = ReturnType<typeof startTestConsumer>;

/**
 * Whether one of them was thrown out of the group before a commit of its. A broker takes commits while a group agrees
 * anew; the mock refuses them, and on a busy machine it throws out who waits for theirs.
 */
export async function wereThrownOut(...consumers: TestConsumer[]): Promise<boolean> {
  const texts = await Promise.all(
    consumers.map(async (consumer) => (await consumer.request("/metrics")).text()),
  );
  return texts.some((text) => /^kafka_commit_failures_total\{reason="lost".*\} [1-9]/m.test(text));
}

/** Records that were delivered again though nobody had been thrown out of the group. */
export async function needlesslyRedelivered(...consumers: TestConsumer[]): Promise<number> {
  const redelivered = await Promise.all(consumers.map(({ metric }) => metric("orders_redelivered_total")));
  return (await wereThrownOut(...consumers)) ? 0 : redelivered.reduce((sum, one) => sum + one, 0);
}

/**
 * Starts one that logs nothing; with `await using` it is drained at the end. Its session is the shortest: the mock
 * cluster lets each rebalance after a group's first last nearly as long as that.
 */
export function startTestConsumer(
  env: Record<string, string>,
  handling: Handler | Extract<Handler, { apply: unknown }>["apply"] = async () => {},
  migrations: readonly string[] = [],
) {
  const config = consumerConfig({
    LOG_LEVEL: "fatal",
    SESSION_TIMEOUT_MS: "6000",
    RETRY_BASE_MS: "10",
    RETRY_MAX_MS: "50",
    ...env,
  });
  const log = createLogger("consumer", config);
  const registry = createRegistry(config.INSTANCE);
  const metrics = createHandlingMetrics(registry);
  const ledger = createLedger(config.LEDGER_URL, {
    connections: config.HANDLER_CONCURRENCY,
    handlerTimeoutMs: config.HANDLER_TIMEOUT_MS,
  });
  const consumer = startConsumer(config, {
    handler: typeof handling === "function" ? { apply: handling } : handling,
    ...{ migrations, ledger, metrics, log },
  });
  const app = createHandlingApp({ ...consumer, ledger, registry, log });
  const metric = async (name: string): Promise<number> => sumOf(await registry.metrics(), name);
  let draining: Promise<void> | undefined;
  return {
    ledger,
    metric,
    unready: consumer.unready,
    request: async (path: string): Promise<Response> => app.request(path),
    /** Waits until a metric has at least this value. */
    async reaches(name: string, value: number, timeoutMs?: number): Promise<void> {
      let seen = 0;
      const reached = async () => {
        seen = await metric(name);
        return seen >= value;
      };
      await until(`${name} reaches ${value}`, reached, timeoutMs).catch((error: Error) => {
        throw new Error(`${error.message}, only ${seen}; ${consumer.unready() ?? "ready"}`);
      });
    },
    drain() {
      draining ??= consumer.drain();
      return draining;
    },
    [Symbol.asyncDispose]() {
      draining ??= consumer.drain();
      return draining;
    },
  };
}
