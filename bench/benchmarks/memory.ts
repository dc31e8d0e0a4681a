/**
 * Memory over many orders: a producer and a consumer under full load, their resident sets read every second. Flat is
 * what the last tenth of the time takes no more than the second one, when everything is warm.
 */
import { comesTrue } from "../../kit/until.ts";
import { startPostgres } from "../../testing/postgres.ts";
import { startTier, type TierProcess } from "../../testing/tier-process.ts";
import { type ResultRow, spread } from "../results.ts";
import type { Brokers } from "../rig/brokers.ts";
import type { Context } from "../rig/compare.ts";
import { measure } from "../rig/measure.ts";
import { memoryMb } from "../rig/processes.ts";
import { startSide } from "../sides/sides.ts";

/** A hundred orders a request: more of them in the time than by any other way. */
const orders = 100;
const connections = 30;
const sampleMs = 1_000;
/** The consumer may be behind by most of what was sent. */
const handledLimitMs = 3_600_000;

/** As long as all rounds of another benchmark, twenty times over; `--seconds` and `--rounds` make it longer. */
export async function watchMemory({ brokers: all, effort, stop, say }: Context): Promise<ResultRow[]> {
  const brokers = await all.onNewTopic();
  using postgres = startPostgres();
  const side = await startSide("coffee-orders", brokers.env);
  await using consumer = startTier("consumer", {
    ...brokers.env,
    CONSUMER_GROUP: "memory",
    LEDGER_URL: postgres.url,
  });
  const samples: { producer: number; consumer: number }[] = [];
  const sampling = setInterval(
    () =>
      samples.push({
        producer: memoryMb(Object.values(side.pids).flat()),
        consumer: memoryMb([consumer.pid]),
      }),
    sampleMs,
  );
  try {
    await consumer.ready();
    const seconds = effort.quick ? 2 : 20 * effort.seconds * effort.rounds;
    const figures = await measure(side, brokers, {
      path: "/orders/batch",
      orders,
      connections,
      seconds,
      stop,
    });
    const producerSamples = samples.length;
    const appended = await allHandled(consumer, brokers, stop);
    clearInterval(sampling);
    say(`${samples.length} samples`);
    const loaded = { producer: samples.slice(0, producerSamples), consumer: samples };
    return (["producer", "consumer"] as const).map((tier) => ({
      side: tier,
      load: `${connections} connections, ${orders} orders a request`,
      figures: {
        orders: spread([appended]),
        "orders/s": figures["orders/s"] !== undefined ? spread([figures["orders/s"]]) : spread([]),
        "MB, second tenth": spread(tenth(loaded[tier], 1).map((sample) => sample[tier])),
        "MB, last tenth": spread(tenth(loaded[tier], 9).map((sample) => sample[tier])),
        "MB, all the time": spread(samples.map((sample) => sample[tier])),
      },
    }));
  } finally {
    clearInterval(sampling);
    await side.stop();
  }
}

/**
 * The topic's end is asked for anew each time: what was under way when the load ended is appended after it.
 * @returns how many there are
 * @throws Error when not every order on the topic is handled
 */
async function allHandled(consumer: TierProcess, brokers: Brokers, stop: AbortSignal): Promise<number> {
  let [handled, appended] = [0, 0];
  const done = await comesTrue(
    async () => {
      stop.throwIfAborted();
      // An order that the producer sent twice is met twice.
      const [once, again] = await Promise.all(
        ["orders_handled_total", "orders_duplicate_total"].map(consumer.metric),
      );
      handled = (once ?? 0) + (again ?? 0);
      appended = await brokers.appended();
      return handled === appended;
    },
    handledLimitMs,
    sampleMs,
  );
  if (!done) throw new Error(`${handled} orders were handled, ${appended} are on the topic`);
  return appended;
}

const tenth = <T>(samples: readonly T[], n: number): T[] =>
  samples.slice(
    Math.floor((n * samples.length) / 10),
    Math.max(1, Math.floor(((n + 1) * samples.length) / 10)),
  );
