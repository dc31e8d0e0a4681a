/**
 * What failing orders cost the good ones: a consumer handles 6,000 orders of as many customers that are on the topic already,
 * of which 0, 2 or 10 % fail at every attempt, in their handler or in a statement of its transaction. The time is from the
 * first handler's call until the good ones are handled. The brokers are the mock cluster, the databases are real.
 *
 *     bun bench/failing.ts [ROUNDS]
 */
import { ownCommandLine, wholeNumber } from "../kit/arguments.ts";
import { until } from "../kit/until.ts";
import type { Handler } from "../src/handling/handler.ts";
import { partyOf } from "../src/order.ts";
import { partitionCount, startOrdersCluster } from "../testing/kafka.ts";
import { startPostgres } from "../testing/postgres.ts";
import { newPlace, recordOf, startTestConsumer } from "../testing/test-consumer.ts";

const orders = 6_000;
const shares = [0, 2, 10];
const limitMs = 120_000;
const usage = "bun bench/failing.ts [ROUNDS]     3 by default, after one that warms up";
const rounds = ownCommandLine(usage, {}, (_, [word = "3"]) => wholeNumber("ROUNDS", word, 1), 1);
const migrations = ["CREATE TABLE tickets (order_id TEXT NOT NULL, note TEXT NOT NULL)"];
type Apply = Extract<Handler, { apply: unknown }>["apply"];

const kinds: Record<string, Apply> = {
  "its handler": async (order, { tx }) => {
    await tx`INSERT INTO tickets VALUES (${order.id}, 'a')`;
    if (isBad(order)) throw new Error("sour");
  },
  "its statement": async (order, { tx }) => {
    await tx`INSERT INTO tickets VALUES (${order.id}, ${isBad(order) ? null : "a"})`;
  },
  "its second statement": async (order, { tx }) => {
    await tx`INSERT INTO tickets VALUES (${order.id}, 'a')`;
    await tx`INSERT INTO tickets VALUES (${order.id}, ${isBad(order) ? null : "b"})`;
  },
};
const isBad = (order: Parameters<Apply>[0]) => partyOf(order).startsWith("bad");

using postgres = startPostgres();
const cluster = startOrdersCluster();
const times = new Map<string, number[]>();
for (let round = 0; round <= rounds; round += 1)
  for (const [kind, apply] of Object.entries(kinds))
    for (const ledger of ["SQLite", "PostgreSQL"])
      for (const share of shares) {
        const ms = await measure(apply, ledger === "PostgreSQL", share);
        const key = `| ${ledger} | ${kind} | ${share} % |`;
        console.error(`${key} ${round === 0 ? "warm-up" : `round ${round}`}: ${ms.toFixed(0)} ms`);
        if (round > 0) times.set(key, [...(times.get(key) ?? []), ms]);
      }
for (const [key, all] of times) {
  const sorted = all.toSorted((one, other) => one - other);
  const [least, middle, most] = [0, 0.5, 1].map(
    (part) => sorted[Math.floor(part * (sorted.length - 1))] ?? 0,
  );
  console.log(`${key} ${middle?.toFixed(0)} (${least?.toFixed(0)}–${most?.toFixed(0)}) |`);
}
cluster.close();

/** @returns ms from the first call until all good orders are handled */
async function measure(apply: Apply, isPostgres: boolean, share: number): Promise<number> {
  using place = newPlace(cluster);
  const records = Array.from({ length: orders }, (_, n) =>
    recordOf(`${n}`, { customer: `${n % 100 < share ? "bad" : "good"}${n}`, partition: n % partitionCount }),
  );
  await place.put(records);
  const env = isPostgres ? { ...place.env, LEDGER_URL: await postgres.newDatabase() } : place.env;
  let beganMs = 0;
  // As they are by default.
  const waits = { RETRY_BASE_MS: "100", RETRY_MAX_MS: "10000" };
  await using consumer = startTestConsumer(
    { ...env, ...waits },
    (order, context) => {
      beganMs ||= performance.now();
      return apply(order, context);
    },
    migrations,
  );
  const good = (orders * (100 - share)) / 100;
  await until(
    "all are handled",
    async () => (await consumer.metric("orders_handled_total")) >= good,
    limitMs,
  );
  return performance.now() - beganMs;
}
