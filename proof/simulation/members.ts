/** The consumers of a world: each is the real core in a process of its own, which may be told to leave, or crash. */
import { Registry } from "prom-client";
import type { ConsumerConfig } from "../../src/config.ts";
import { createGroupMember } from "../../src/handling/group-member.ts";
import { createHandlingMetrics } from "../../src/handling/metrics.ts";
import { createProcessor } from "../../src/handling/processor.ts";
import type { Rebalance } from "../../src/kafka/consumer.ts";
import type { Logger } from "../../src/runtime/log.ts";
import type { Conduct } from "./checks/conduct.ts";
import type { Process, Random, Time } from "./clock.ts";
import type { Habits } from "./habits.ts";
import type { Kafka } from "./kafka/kafka.ts";
import type { LedgerModel } from "./ledger.ts";
import type { Letters } from "./letters.ts";
import type { Orders } from "./orders.ts";

/** One for all worlds: making it takes longer than a world. */
const metrics = createHandlingMetrics(new Registry());

export function createMembers(options: {
  random: Random;
  time: Time;
  habits: Habits;
  settings: ConsumerConfig;
  kafka: Kafka;
  ledger: LedgerModel;
  letters: Letters;
  orders: Orders;
  conduct: Pick<Conduct, "letter" | "effect">;
  say: (what: string) => void;
  fail: (what: string) => void;
}) {
  const { random, time, habits, settings, kafka, ledger, letters, orders, conduct, say, fail } = options;
  let started = 0;
  const processes = new Map<Process, { leave: () => void }>();
  /** Who was asked to end and has not. */
  const leaving = new Set<Process>();

  function start(): void {
    started += 1;
    const process: Process = { name: `m${started}`, alive: true, frozenUntilMs: 0 };
    const clock = time.clockOf(process);
    const log = logOf(process.name, say);
    const parts = { clock, log, metrics, random: random.next };
    const demands: Rebalance[] = [];
    const consumer = kafka.join(process, clock, (rebalance) => demands.push(rebalance));
    const processor = createProcessor(settings, {
      ...parts,
      ledger: ledger.of(process, clock),
      deadLetters: letters.of(clock, (...letter) => conduct.letter(process, ...letter)),
      handler: orders.handlerOf(clock, (...call) => conduct.effect(process, ...call)),
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
    processes,
    leaving,
    start,
    crash(process: Process): void {
      say(`${process.name} crashes`);
      end(process);
      time
        .clockOf({ name: "coordinator", alive: true, frozenUntilMs: 0 })
        .timer(habits.sessionMs, () => kafka.loseSession(process));
    },
    /** Asks it to end, which it has to do. */
    leave(process: Process): void {
      say(`${process.name} is to leave`);
      leaving.add(process);
      process.toEndMs ??= time.nowMs();
      processes.get(process)?.leave();
    },
  };
}

function logOf(name: string, say: (what: string) => void): Logger {
  const line = (fields: unknown, text?: string) =>
    say(`${name}: ${text ?? String(fields)} ${typeof fields === "object" ? shown(fields) : ""}`);
  return { debug: () => undefined, info: line, warn: line, error: line } as unknown as Logger;
}

const shown = (fields: unknown): string =>
  JSON.stringify(fields, (_, value) => (value instanceof Error ? `${value.name}: ${value.message}` : value));
