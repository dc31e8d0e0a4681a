/** One world, all of it from a seed: one to three consumers of the real core, and what they depend on. */
import { Registry } from "prom-client";
import { type ConsumerConfig, consumerConfig } from "../../src/config.ts";
import { createGroupMember } from "../../src/handling/group-member.ts";
import { createHandlingMetrics } from "../../src/handling/metrics.ts";
import { createProcessor } from "../../src/handling/processor.ts";
import type { Rebalance } from "../../src/kafka/consumer.ts";
import type { Logger } from "../../src/runtime/log.ts";
import type { PlacedOrder } from "../../src/wire/validation.ts";
import { createChecker } from "./checks/checker.ts";
import { createRandom, createTime, type Process } from "./clock.ts";
import { createKafka } from "./kafka/kafka.ts";
import type { Log, Stored } from "./kafka/log.ts";
import { createSimulatedLedger } from "./ledger.ts";
import { createLetters } from "./letters.ts";
import { createOrders } from "./orders.ts";

const goodEveryMs = 5_000;
const mostLateMs = 300;
const outside: Process = { name: "outside", alive: true, frozenUntilMs: 0 };

/** Letters that an outage may cost where it is not declared as one. */
const handful = 10;

/** One for all worlds: making it takes longer than a world. */
const metrics = createHandlingMetrics(new Registry());

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
  const { epochMs } = time.clockOf(outside);
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
  const orders = createOrders({
    random,
    kind,
    faulty,
    slow: random.pick([0, 0.1, 0.5]),
    customers,
  });
  const letters = createLetters({ random, time, say });
  const ledger = createSimulatedLedger({ random, time, orders, conduct: () => checker.conduct, say });
  const checker = createChecker({
    ...{
      kafka: () => kafka,
      ledger,
      letters,
      orders,
      kind,
      settings,
      leaving: () => leaving,
      nowMs: time.nowMs,
      broken: fail,
    },
  });
  const kafka = createKafka({
    ...{ random, time, partitions: random.int(1, 3), topic: settings.ORDERS_TOPIC, say },
    onCommit: (commit) => checker.committed(commit.partition, commit),
    onDelivery: checker.delivered,
    conduct: () => checker.conduct,
    onLetGo: checker.letGo,
    broken: fail,
  });
  let placed = 0;
  let started = 0;
  const processes = new Map<Process, { leave: () => void }>();
  const leaving = new Set<Process>();

  /** Appends to a log, or to one of those that are there. Producers' clocks differ, and some wait: none is in order. */
  function append(
    order: PlacedOrder | undefined,
    value: Buffer,
    log = someLog(),
    waitedMs = 0,
  ): Stored | undefined {
    const timestampMs = epochMs() - waitedMs - random.int(0, mostLateMs);
    const stored = log?.append(order, value, timestampMs);
    if (stored) letters.expect(stored);
    return stored;
  }
  function someLog(): Log | undefined {
    const there = kafka.isAway() ? [] : kafka.logs().filter((log) => !log.isDown());
    return there.length > 0 ? random.pick(there) : undefined;
  }

  /** New records, now and then one that is no order, or a hole. */
  function place(records: number): void {
    for (let n = 0; n < records; n += 1) {
      const log = someLog();
      if (random.chance(0.05)) log?.gap(random.int(1, 3));
      const order = random.chance(0.02) ? undefined : orders.next();
      if (append(order, Buffer.from(order ? JSON.stringify(order) : "{}"), log)) placed += 1;
    }
  }

  /** An operator sends a few letters back, what was wrong with them mended or not. */
  function redrive(): void {
    for (const { order, value } of [...letters.all()].slice(-random.int(1, 3))) {
      if (order && random.chance(0.5)) orders.mend(order.id);
      const again = append(order, value);
      if (again) say(`${again.key} is redriven`);
    }
  }

  /** Orders go on coming: what is left may be no more than those that fail, and then it looks as if all failed. */
  function goOn(): void {
    const order = orders.nextGood();
    append(order, Buffer.from(JSON.stringify(order)));
    time.clockOf(outside).timer(goodEveryMs, goOn);
  }

  function start(): void {
    started += 1;
    const process: Process = { name: `m${started}`, alive: true, frozenUntilMs: 0 };
    const clock = time.clockOf(process);
    const log = logOf(process.name, say);
    const parts = { clock, log, metrics, random: random.next };
    const demands: Rebalance[] = [];
    const consumer = kafka.join(process, clock, (rebalance) => demands.push(rebalance));
    const processor = createProcessor(settings, {
      ...{
        ...parts,
        ledger: ledger.of(process, clock),
        deadLetters: letters.of(clock, (...letter) => checker.conduct.letter(process, ...letter)),
        handler: orders.handlerOf(clock, (...call) => checker.conduct.effect(process, ...call)),
      },
    });
    const member = createGroupMember(settings, { ...parts, consumer, demands, processor });
    processes.set(process, member);
    say(`${process.name} starts`);
    member
      .run()
      .then(() => {
        say(`${process.name} has left`);
        end(process);
        return consumer.close();
      })
      .catch((error) => fail(`${process.name} ended: ${error}`));
  }

  /** Whatever the process had in hand is gone, and the coordinator hears nothing of it any more. */
  function end(process: Process): void {
    process.alive = false;
    processes.delete(process);
    leaving.delete(process);
    ledger.died(process);
  }

  return {
    ...{ seed, random, time, kafka, ledger, letters, orders, kind },
    ...{ processes, place, append, redrive, start, say, goOn },
    crash(process: Process): void {
      say(`${process.name} crashes`);
      end(process);
      time
        .clockOf({ name: "coordinator", alive: true, frozenUntilMs: 0 })
        .timer(6_000, () => kafka.loseSession(process));
    },
    /** Asks it to end, which it has to do. */
    leave(process: Process): void {
      say(`${process.name} is to leave`);
      leaving.add(process);
      processes.get(process)?.leave();
    },
    checker,
    fail,
    lettersOfOutage: handful,
    broken: () => broken,
    placed: () => placed,
  };
}

function logOf(name: string, say: (what: string) => void): Logger {
  const line = (fields: unknown, text?: string) =>
    say(`${name}: ${text ?? String(fields)} ${typeof fields === "object" ? shown(fields) : ""}`);
  return { debug: () => undefined, info: line, warn: line, error: line } as unknown as Logger;
}

const shown = (fields: unknown): string =>
  JSON.stringify(fields, (_, value) => (value instanceof Error ? `${value.name}: ${value.message}` : value));
