/** One world, all of it from a seed: one to three consumers of the real core, and what they depend on. */
import { type ConsumerConfig, consumerConfig } from "../../src/config.ts";
import { createArrivals } from "./arrivals.ts";
import { createChecker } from "./checks/checker.ts";
import { createRandom, createTime } from "./clock.ts";
import { habitsOf } from "./habits.ts";
import { createKafka } from "./kafka/kafka.ts";
import { createSimulatedLedger } from "./ledger.ts";
import { createLetters } from "./letters.ts";
import { createMembers } from "./members.ts";
import { createOrders } from "./orders.ts";

/** Letters that an outage may cost where it is not declared as one. */
const handful = 10;

export type World = ReturnType<typeof createWorld>;

const defaults = consumerConfig({
  KAFKA_BROKERS: "none:1",
  LEDGER_URL: "sqlite:none",
  INSTANCE: "simulated",
});

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
  const habits = habitsOf(seed);
  const settings: ConsumerConfig = { ...defaults, ...habits.settings };
  const orders = createOrders({ random, kind, ...habits });
  const letters = createLetters({ random, time, habits, say });
  const ledger = createSimulatedLedger({ random, time, habits, orders, conduct: () => checker.conduct, say });
  const checker = createChecker({
    ...{ kafka: () => kafka, ledger, letters, orders, kind, habits, settings },
    ...{ leaving: () => members.leaving, nowMs: time.nowMs, broken: fail },
  });
  const { conduct } = checker;
  const kafka = createKafka({
    ...{ random, time, habits, topic: settings.ORDERS_TOPIC, say },
    onCommit: (commit) => checker.committed(commit.partition, commit),
    onDelivery: checker.delivered,
    conduct: () => conduct,
    onLetGo: checker.letGo,
    broken: fail,
  });
  const members = createMembers({
    ...{ random, time, habits, settings, kafka, ledger, letters, orders, conduct, say, fail },
  });

  return {
    ...{ seed, habits, random, time, kafka, ledger, letters, orders, kind, checker, say, fail },
    ...members,
    ...createArrivals({ random, time, habits, kafka, letters, orders, say }),
    lettersOfOutage: handful,
    broken: () => broken,
  };
}
