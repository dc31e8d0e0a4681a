/** One world, all of it from a seed: one to three consumers of the real core, and what they depend on. */
import { type ConsumerConfig, consumerConfig } from "../../src/config.ts";
import { createArrivals } from "./arrivals.ts";
import { createChecker } from "./checks/checker.ts";
import { createRandom, createTime } from "./clock.ts";
import { createKafka } from "./kafka/kafka.ts";
import { createSimulatedLedger } from "./ledger.ts";
import { createLetters } from "./letters.ts";
import { createMembers } from "./members.ts";
import { createOrders } from "./orders.ts";

/** Letters that an outage may cost where it is not declared as one. */
const handful = 10;

export type World = ReturnType<typeof createWorld>;

const configOf = (): ConsumerConfig => ({
  ...consumerConfig({ KAFKA_BROKERS: "none:1", LEDGER_URL: "sqlite:none", INSTANCE: "simulated" }),
  HANDLER_TIMEOUT_MS: 2_000,
  LEDGER_BATCH_ORDERS: 8,
});
const defaults = configOf();

export function createWorld(seed: number, tell: (what: string) => void) {
  const random = createRandom(seed);
  const time = createTime(random);
  let broken: string | undefined;
  const say = (what: string) => tell(`${(time.nowMs() / 1_000).toFixed(3)} ${what}`);
  const fail = (what: string) => {
    if (broken === undefined) say(`BROKEN: ${what}`);
    broken ??= what;
  };
  const kind = random.pick(["apply", "effect"] as const);
  const faulty = random.pick([0, 0, 0.05, 0.2]);
  // Where a backlog is full of orders that fail, nothing else comes in by which the breaker would notice that not all do.
  const settings = {
    ...defaults,
    BACKLOG_RECORDS: faulty === 0 ? 8 : 1_000,
    // By the seed, so that it stays the world that it was.
    ...(faulty === 0 && seed % 3 === 0 && { BACKLOG_BYTES: 2_000 }),
  };
  const customers = random.int(3, 12);
  const orders = createOrders({ random, kind, faulty, slow: random.pick([0, 0.1, 0.5]), customers });
  const letters = createLetters({ random, time, say });
  const ledger = createSimulatedLedger({ random, time, orders, conduct: () => checker.conduct, say });
  const checker = createChecker({
    ...{ kafka: () => kafka, ledger, letters, orders, kind, settings },
    ...{ leaving: () => members.leaving, nowMs: time.nowMs, broken: fail },
  });
  const { conduct } = checker;
  const kafka = createKafka({
    ...{ random, time, partitions: random.int(1, 3), topic: settings.ORDERS_TOPIC, say },
    onCommit: (commit) => checker.committed(commit.partition, commit),
    onDelivery: checker.delivered,
    conduct: () => conduct,
    onLetGo: checker.letGo,
    broken: fail,
  });
  const members = createMembers({
    ...{ random, time, settings, kafka, ledger, letters, orders, conduct, say, fail },
  });

  return {
    ...{ seed, random, time, kafka, ledger, letters, orders, kind, checker, say, fail },
    ...members,
    ...createArrivals({ random, time, kafka, letters, orders, say }),
    lettersOfOutage: handful,
    broken: () => broken,
  };
}
