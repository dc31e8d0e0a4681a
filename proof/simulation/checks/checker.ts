/**
 * What must hold in every world. At each commit that the coordinator takes: no record that a later owner would not get is
 * unfinished. At the end: whatever is in the log is handled or dead, each effect happened once, nobody was blamed for
 * another's fault, and whoever takes over is given nothing again.
 */
import type { ConsumerConfig } from "../../../src/config.ts";
import type { CommittedOffset } from "../../../src/kafka/places.ts";
import type { Process } from "../clock.ts";
import type { Habits } from "../habits.ts";
import type { Kafka } from "../kafka/kafka.ts";
import type { Stored } from "../kafka/log.ts";
import type { LedgerModel } from "../ledger.ts";
import type { Letters } from "../letters.ts";
import type { Orders } from "../orders.ts";
import { createConduct, type Release } from "./conduct.ts";
import { splitBy } from "./next-owner.ts";
import { createPassed } from "./passed.ts";

export function createChecker(parts: {
  kafka: () => Kafka;
  ledger: LedgerModel;
  letters: Letters;
  orders: Orders;
  kind: "apply" | "effect";
  habits: Habits;
  settings: ConsumerConfig;
  /** Who was asked to end and has not. */
  leaving: () => Iterable<Process>;
  nowMs: () => number;
  broken: (what: string) => void;
}) {
  const { kafka, ledger, letters, orders, habits, broken } = parts;
  /** Taken by a process and not finished so far. */
  const inHand = new Map<Process, Map<string, Stored>>();
  const passed = createPassed(broken);

  const isFinished = ({ key, order }: Stored): boolean =>
    letters.has(key) ||
    (order !== undefined && Bun.deepEquals(ledger.rows.get(order.id)?.entry.order, order));

  const split = (partition: number, commit: CommittedOffset | undefined) =>
    splitBy(commit, kafka().logs()[partition], kafka().topicId());
  /** Still what is to be read there: no other topic, not cut off. */
  const isInLog = (record: Stored): boolean => {
    const [found] = kafka().logs()[record.partition]?.from(record.offset, 1) ?? [];
    return found === record;
  };
  /** What does not fit into a commit's metadata comes again, and what was finished of a log that timestamps told was cut. */
  function comesAgain(partition: number): readonly Stored[] {
    const isSure = !kafka().logs()[partition]?.wasCut() && habits.mostMetadata >= 4_000;
    return isSure ? split(partition, kafka().committed.get(partition)).left : [];
  }
  const conduct = createConduct({ ...parts, isFinished, isInLog, comesAgain });

  return {
    conduct,
    committed(partition: number, commit: CommittedOffset): void {
      const early = split(partition, commit).passed.find((record) => !record.regrown && !isFinished(record));
      if (early) broken(`a commit of partition ${partition} passes ${early.key}, which is not finished`);
    },
    /** Bounded memory: no more than the backlog, and what two polls bring, one of a log that is no more. */
    delivered(process: Process, record: Stored, counts: boolean): void {
      conduct.given(process, record, counts);
      passed.delivered(process, record);
      if (!counts) return;
      const held = inHand.get(process) ?? new Map<string, Stored>();
      inHand.set(process, held);
      held.set(String(record.key), record);
      if (held.size <= parts.settings.BACKLOG_RECORDS) return;
      for (const [key, one] of held) if (isFinished(one) || !isInLog(one)) held.delete(key);
      const most = kafka().logs().length * (parts.settings.BACKLOG_RECORDS + 2 * habits.mostPolled);
      if (held.size > most) broken(`${process.name} holds ${held.size} records, more than ${most}`);
    },
    /** It holds nothing of a partition any more. */
    letGo(process: Process, release: Release): void {
      conduct.letGo(process, release);
      const held = inHand.get(process);
      for (const [key, one] of held ?? []) if (one.partition === release.partition) held?.delete(key);
    },
    /** What is still to be done; undefined: all of it is, and committed. */
    undone(): string | undefined {
      if (kafka().isAway()) return "the topic is away";
      for (const { name } of parts.leaving()) return `${name} has not left`;
      if (kafka().commitsUnderWay() > 0) return "a commit is on its way";
      for (const log of kafka().logs())
        for (const record of log.records())
          if (!isFinished(record)) return `${record.key} is neither handled nor dead`;
      for (const partition of kafka().logs().keys()) {
        const [again] = split(partition, kafka().committed.get(partition)).left;
        if (again) return `${again.key} is finished, and not committed`;
      }
      return undefined;
    },
    settled: (processes: Iterable<Process>): void =>
      passed.settled(kafka().logs(), kafka().committed, processes),
    /** What holds at every end. */
    end(fewLetters: number): void {
      for (const [id, { effects }] of ledger.rows) {
        const done = parts.kind === "apply" ? effects : Number((orders.effects.get(id) ?? 0) > 0);
        if (done !== 1) broken(`the ledger has ${id}, and its effect happened ${done} times`);
      }
      const blamed = [...letters.all()].filter((record) => {
        if (!record.order) return false;
        const conflict = ledger.rows.get(record.order.id)?.entry.order;
        return (
          orders.isGood(record.order.id) && (conflict === undefined || Bun.deepEquals(conflict, record.order))
        );
      });
      if (blamed.length > fewLetters)
        broken(`${blamed.length} dead letters of orders that are good, first ${blamed[0]?.key}`);
    },
  };
}
