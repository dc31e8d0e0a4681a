/**
 * How much of the ledger's own speed a consumer keeps: bare batched inserts against the whole way from Kafka through
 * an empty handler to the ledger's row and the committed offset; same program, same ledger, same orders, one after
 * the other in turn. `bun bench/consumer-ledger.ts [--orders N] [--rounds N] [--ledger sqlite|postgres]`
 *
 * Brokers: librdkafka's mock cluster in a process of its own, or those of KAFKA_BROKERS (its topic `orders-bench` is
 * made and filled). A side that does not handle every order, once, has no figure.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { SQL } from "bun";
import { kafkaConfig } from "../src/config.ts";
import { recordOf } from "../src/intake/record.ts";
import { openProducer } from "../src/kafka/producer.ts";
import { createTopic } from "../src/kafka/topics.ts";
import { orderId } from "../src/order-id.ts";
import { startPostgres } from "../src/testing/postgres.ts";
import type { Result } from "./consumer-side.ts";

const { values } = parseArgs({
  options: {
    orders: { type: "string", default: "150000" },
    rounds: { type: "string", default: "3" },
    ledger: { type: "string", multiple: true, default: ["sqlite", "postgres"] },
  },
});
const orders = Number(values.orders);
const rounds = Number(values.rounds);
const customers = 1_000;
const partitions = 12;
const sides = ["bare", "consumer"] as const;

const directory = mkdtempSync(join(tmpdir(), "coffee-orders-bench-"));
const brokers = process.env.KAFKA_BROKERS ? undefined : await mockServer();
const topic = `orders-bench-${Date.now()}`;
const kafka = {
  KAFKA_BROKERS: process.env.KAFKA_BROKERS ?? brokers?.bootstrap ?? "",
  MIN_INSYNC_REPLICAS: brokers ? "1" : "2",
  ...(brokers ? {} : { ORDERS_TOPIC: topic }),
};
const postgres = values.ledger.includes("postgres") ? startPostgres() : undefined;
try {
  await fill();
  for (const ledger of values.ledger) {
    const rates: Record<(typeof sides)[number], number[]> = { bare: [], consumer: [] };
    for (let round = 1; round <= rounds; round += 1)
      for (const side of sides) {
        const url = await freshLedger(ledger, `${side}${round}`);
        const result = await run(side, url, `bench-${ledger}-${round}`);
        rates[side].push(result.orders / result.seconds);
        const cpu = ((result.cpuSeconds / result.orders) * 1e6).toFixed(1);
        console.log(
          `${ledger} ${side} round ${round}: ${Math.round(result.orders / result.seconds)}/s, ${cpu} µs CPU an order`,
        );
      }
    const [bare, consumer] = [median(rates.bare), median(rates.consumer)];
    console.log(
      `${ledger}: bare ${Math.round(bare)}/s, consumer ${Math.round(consumer)}/s, ratio ${(consumer / bare).toFixed(2)}`,
    );
  }
} finally {
  postgres?.[Symbol.dispose]();
  brokers?.stop();
  rmSync(directory, { recursive: true });
}

/** One side in a process of its own, as a consumer is. */
async function run(side: string, ledgerUrl: string, group: string): Promise<Result> {
  const child = Bun.spawn(
    [process.execPath, join(import.meta.dir, "consumer-side.ts"), side, String(orders)],
    {
      env: { ...process.env, ...kafka, LEDGER_URL: ledgerUrl, CONSUMER_GROUP: group, LOG_LEVEL: "warn" },
      stdout: "pipe",
      stderr: "inherit",
    },
  );
  const text = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error(`${side} failed: ${text}`);
  return JSON.parse(text.trim().split("\n").at(-1) ?? "");
}

async function freshLedger(kind: string, name: string): Promise<string> {
  if (!postgres || kind !== "postgres") return `sqlite:${join(directory, `${name}.sqlite`)}`;
  const sql = new SQL({ url: postgres.url, max: 1 });
  await sql.unsafe(`CREATE DATABASE ${name}`);
  await sql.close();
  return postgres.url.replace(/postgres$/, name);
}

/** The orders as a producer would write them. */
async function fill(): Promise<void> {
  const config = kafkaConfig(kafka);
  if (!brokers) await createTopic(config, config.ORDERS_TOPIC);
  let acknowledged = 0;
  const producer = await openProducer(config, {
    lingerMs: 20,
    deliveryTimeoutMs: 60_000,
    onReport: ({ error }) => {
      if (error) throw new Error(error);
      acknowledged += 1;
    },
  });
  for (let n = 0; n < orders; n += 1) {
    while (n - acknowledged > 20_000) await Bun.sleep(1);
    const customer = `c${n % customers}`;
    const order = { customer, coffee: "latte", size: "medium", quantity: 2, milk: "oat" } as const;
    const record = recordOf(order, orderId(customer, `${n}`), config.ORDERS_TOPIC);
    producer.produce({ ...record, partition: n % partitions });
  }
  await producer.close(60_000);
  if (acknowledged !== orders) throw new Error(`only ${acknowledged} of ${orders} orders are on the topic`);
}

async function mockServer() {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "../native/mock-server.ts")], {
    stdout: "pipe",
  });
  const { value } = await child.stdout.getReader().read();
  return { bootstrap: new TextDecoder().decode(value).trim(), stop: () => child.kill() };
}

function median(numbers: number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}
