/**
 * How much of the ledger's own speed the consumers keep: bare batched inserts against the whole way from Kafka through
 * a handler to the ledger's row and the committed offset; same ledger, same orders, one after the other in turn. The
 * members of a group are there before the orders are, and stand still until all of those are on the topic.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kafkaConfig } from "../../src/config.ts";
import { openProducer } from "../../src/kafka/producer.ts";
import { sampleOrder } from "../../src/sample.ts";
import { orderId } from "../../src/wire/order-id.ts";
import { recordOf } from "../../src/wire/record.ts";
import { startPostgres } from "../../testing/postgres.ts";
import { type ResultRow, spreads } from "../results.ts";
import type { Context } from "../rig/compare.ts";
import { cpuSeconds, peakMemoryMb, setPaused } from "../rig/processes.ts";
import { startWorker, type Worker } from "../rig/worker.ts";

export type ConsumerSide = {
  name: string;
  /** "bare" is the ledger alone, with the same orders; else what the handler takes, ms. */
  handlerMs: number | "bare";
  members: number;
  /** Of the orders of a round, as what one side does in a second may take another a minute. */
  share?: number;
};

const customers = 1_000;
const partitions = 12;
const membersLimitMs = 60_000;
const sideLimitMs = 180_000;

/** Runs every side on each ledger, in turn. @param orders in each round */
export async function compareConsumers(
  sides: readonly ConsumerSide[],
  orders: number,
  context: Context,
): Promise<ResultRow[]> {
  const folder = mkdtempSync(join(tmpdir(), "coffee-orders-bench-"));
  const postgres = startPostgres();
  try {
    const rows: ResultRow[] = [];
    for (const kind of ["SQLite", "PostgreSQL"] as const) {
      const found = sides.map((side) => ({ side, rounds: [] as Record<string, number>[] }));
      for (let round = 1; round <= context.effort.rounds; round += 1)
        for (const [at, { side, rounds }] of found.entries()) {
          const ledger =
            kind === "SQLite"
              ? `sqlite:${join(folder, `${at}_${round}.sqlite`)}`
              : await postgres.newDatabase();
          const figures = await measureConsumers(
            side,
            ledger,
            Math.ceil(orders * (side.share ?? 1)),
            context,
          );
          rounds.push(figures);
          context.say(
            `${kind}, ${side.name}, round ${round}: ${Math.round(figures["orders/s"] ?? 0)}/s, ${figures["consumer µs"]?.toFixed(1)} µs`,
          );
        }
      rows.push(
        ...found.map(({ side, rounds }) => ({ side: side.name, load: kind, figures: spreads(rounds) })),
      );
    }
    return rows;
  } finally {
    postgres[Symbol.dispose]();
    rmSync(folder, { recursive: true });
  }
}

/** @throws Error when not every order is handled, once, and every offset committed */
async function measureConsumers(
  side: ConsumerSide,
  ledger: string,
  orders: number,
  { brokers, stop }: Context,
) {
  const { env: kafka } = await brokers.onNewTopic();
  const config = kafkaConfig(kafka);
  const { LEDGER_BATCH_ORDERS } = process.env;
  const own = { CONSUMER_GROUP: kafka.ORDERS_TOPIC, LEDGER_URL: ledger, LOG_LEVEL: "error" };
  const env = { ...kafka, ...own, LEDGER_BATCH_ORDERS };
  const members = Array.from({ length: side.members }, () =>
    startWorker("consumer-side.ts", [side.handlerMs, orders, partitions / side.members].map(String), env),
  );
  try {
    for (const member of members) await member.says("ready", membersLimitMs, stop);
    const pids = members.map(({ pid }) => pid);
    setPaused(pids, true);
    if (side.handlerMs !== "bare") await fill(config, orders);
    const cpuBefore = cpuSeconds(pids);
    const startMs = performance.now();
    setPaused(pids, false);
    for (const member of members) member.tell("go");
    await Promise.race([
      allDone(members, orders),
      Bun.sleep(sideLimitMs).then(() =>
        Promise.reject(new Error(`${side.name} took longer than ${sideLimitMs} ms`)),
      ),
    ]);
    const seconds = (performance.now() - startMs) / 1_000;
    return {
      "orders/s": orders / seconds,
      "consumer µs": ((cpuSeconds(pids) - cpuBefore) / orders) * 1e6,
      "consumer MB": peakMemoryMb(pids),
    };
  } finally {
    for (const member of members) await member.stop();
  }
}

/** Waits until all orders together are done: each member tells how many it has finished and committed so far. */
async function allDone(members: readonly Worker[], orders: number): Promise<void> {
  const done = members.map(() => 0);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const listen = async (member: Worker, at: number) => {
    for await (const line of member.lines) {
      done[at] = Number(line);
      const sum = done.reduce((all, one) => all + one, 0);
      if (sum > orders) reject(new Error(`${sum} orders were handled of ${orders}`));
      if (sum === orders) resolve();
    }
    reject(new Error("a consumer ended"));
  };
  for (const [at, member] of members.entries()) void listen(member, at).catch(reject);
  await promise;
}

/** The orders as a producer would write them. */
async function fill(config: ReturnType<typeof kafkaConfig>, orders: number): Promise<void> {
  let acknowledged = 0;
  let failure: string | undefined;
  const producer = await openProducer(config, {
    lingerMs: 20,
    deliveryTimeoutMs: 60_000,
  });
  for (let n = 0; n < orders; n += 1) {
    while (n - acknowledged > 20_000) await Bun.sleep(1);
    const customer = `c${n % customers}`;
    const order = sampleOrder(n, customer);
    const record = recordOf(order, orderId(customer, `${n}`), config.ORDERS_TOPIC);
    producer.produce({ ...record, partition: n % partitions }, ({ error }) => {
      failure ??= error;
      acknowledged += 1;
    });
  }
  await producer.close(60_000);
  if (failure !== undefined || acknowledged !== orders)
    throw new Error(`${acknowledged} of ${orders} orders are on the topic: ${failure}`);
}
