/**
 * How long after its 202 an order is handled: from the client's receiving the answer to the commit of the ledger's
 * transaction, both by the clock of this machine. Every accepted order must be handled, or there is no figure.
 */
import { ascending, percentile } from "../../kit/percentile.ts";
import { startLoad } from "../../testing/load.ts";
import { startPostgres } from "../../testing/postgres.ts";
import { type ResultRow, spreads } from "../results.ts";
import type { Context } from "../rig/compare.ts";
import { load } from "../rig/load.ts";
import { startWorker, type Worker } from "../rig/worker.ts";
import { type Side, startSide } from "../sides/sides.ts";

const ratesPerSecond = [10, 1_000];
const handledLimitMs = 60_000;
const startLimitMs = 60_000;
const pollMs = 50;

/** Runs each rate in every round. */
export async function compareLatency(context: Context): Promise<ResultRow[]> {
  const { effort, stop, say } = context;
  const brokers = await context.brokers.onNewTopic();
  using postgres = startPostgres();
  const side = await startSide("coffee-orders", brokers.env);
  const consumer = startWorker("latency-side.ts", [], {
    ...brokers.env,
    LEDGER_URL: postgres.url,
    LOG_LEVEL: "error",
  });
  try {
    await consumer.says("ready", startLimitMs, stop);
    const seconds = Math.max(1, Math.round(effort.warmUpSeconds));
    const { requests, ...max } = await load({
      port: side.port,
      path: "/orders",
      orders: 1,
      connections: 64,
      seconds,
      stop,
    });
    const half = Math.round(requests / max.seconds / 2);
    await handledOf(consumer);
    const found = [...ratesPerSecond, half].map((rate) => ({ rate, rounds: [] as Record<string, number>[] }));
    for (let round = 1; round <= effort.rounds; round += 1)
      for (const { rate, rounds } of found) {
        const figures = await atRate(rate, 2 * effort.seconds, side, consumer, stop);
        rounds.push(figures);
        say(
          `${rate}/s, round ${round}: p50 ${figures["p50 ms"]?.toFixed(0)} ms, p99 ${figures["p99 ms"]?.toFixed(0)} ms`,
        );
      }
    return found.map(({ rate, rounds }) => ({
      side: "accepted to handled",
      load: rate === half ? `${rate}/s, half of the maximum` : `${rate}/s`,
      figures: spreads(rounds),
    }));
  } finally {
    await consumer.stop();
    await side.stop();
  }
}

async function atRate(rate: number, seconds: number, { port }: Side, consumer: Worker, stop: AbortSignal) {
  const running = startLoad(port, rate);
  await Bun.sleep(seconds * 1_000);
  const record = await running.stop();
  const handledAtMs = new Map<string, number>();
  const deadline = Date.now() + handledLimitMs;
  for (const { id, sinceMs, latencyMs } of record) {
    if (id === undefined) throw new Error("an order was not accepted");
    while (!handledAtMs.has(id)) {
      stop.throwIfAborted();
      if (Date.now() > deadline)
        throw new Error(`order ${id} was accepted and not handled within ${handledLimitMs} ms`);
      for (const [handled, atMs] of await handledOf(consumer)) handledAtMs.set(handled, atMs);
      if (!handledAtMs.has(id)) await Bun.sleep(pollMs);
    }
    // Handled before the client had its answer: no time at all.
    handledAtMs.set(
      id,
      Math.max(0, (handledAtMs.get(id) ?? 0) - (performance.timeOrigin + sinceMs + latencyMs)),
    );
  }
  const sorted = ascending(record.map(({ id }) => handledAtMs.get(id ?? "") ?? Number.NaN));
  return {
    "p50 ms": percentile(sorted, 50),
    "p99 ms": percentile(sorted, 99),
    "p99.9 ms": percentile(sorted, 99.9),
    "longest ms": percentile(sorted, 100),
    orders: sorted.length,
  };
}

/** What was handled since the last time it was asked, with when. */
async function handledOf(consumer: Worker): Promise<[id: string, atMs: number][]> {
  consumer.tell("tell");
  const { value } = await consumer.lines.next();
  return JSON.parse(value ?? "");
}
