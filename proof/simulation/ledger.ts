/**
 * A model of the ledger's database, one for all processes, in the contract of src/ledger/ledger.ts: transactions that
 * wait for one another's rows, end with their process, and may be committed without its hearing so.
 */
import { applyInGroups, createGrouping } from "../../src/ledger/apply.ts";
import type { Entry, Ledger, SqlValue, Tx } from "../../src/ledger/ledger.ts";
import type { Conduct } from "./checks/conduct.ts";
import { type Clocked, heard, type Process, type Random, type Time } from "./clock.ts";
import { createDatabase, unavailable } from "./database.ts";
import type { Habits } from "./habits.ts";
import type { Orders } from "./orders.ts";

export type LedgerModel = ReturnType<typeof createSimulatedLedger>;

export function createSimulatedLedger(options: {
  random: Random;
  time: Time;
  habits: Habits;
  orders: Orders;
  conduct: () => Pick<Conduct, "transaction" | "inserted">;
  say: (what: string) => void;
}) {
  const { orders, conduct } = options;
  const database = createDatabase(options);
  const { rows, troubles, work, locks } = database;

  let processes = 0;
  /** The ledger as one process reaches it. */
  function of(process: Process, clock: Clocked): Ledger {
    const grouping = createGrouping(clock);
    // As where orders have failed before: groups are small from the start.
    for (let failed = processes++ % 5; failed > 0; failed -= 1) grouping.ended(0, 1, 1);
    async function record(
      entries: readonly Entry[],
      apply: Parameters<Ledger["record"]>[1],
      statementTimeoutMs = 10_000,
    ) {
      await heard(clock, work());
      while (entries.some(locks.isTaken)) await clock.sleep(5);
      locks.take(entries, process);
      const { verdicts, fresh } = database.insert(entries);
      const { execute, effects } = openStatements(orders, clock, statementTimeoutMs);
      const left = new Set<string>();
      const applied = applyInGroups(entries, verdicts, {
        apply,
        execute,
        isCollateral: () => false,
        takeBack: async (ids) => {
          for (const id of JSON.parse(ids)) left.add(id);
        },
        grouping,
        timeoutMs: statementTimeoutMs,
      });
      const recorded = await applied.catch((error) => {
        locks.release(entries, process);
        throw error;
      });
      const written = fresh.filter(({ order }) => !left.has(order.id));
      await heard(clock, database.commit(process, entries, written, effects));
      return recorded;
    }

    /** Told whoever watches, with its end. */
    const watched: Ledger["record"] = async (entries, ...rest) => {
      const end = conduct().transaction(process, entries);
      try {
        const recorded = await record(entries, ...rest);
        // Of another order under its id there will be a letter.
        end(entries.filter((_, at) => typeof recorded[at] === "string" && recorded[at] !== "conflict"));
        return recorded;
      } catch (error) {
        end([]);
        throw error;
      }
    };

    const find = (ids: readonly string[]) =>
      work().then(() => new Map(ids.flatMap(database.viewOf).map((view) => [view.id, view])));
    return {
      open: () => Promise.resolve(),
      record: watched,
      find: (ids) => heard(clock, find(ids)),
      bury: () => heard(clock, work()),
      expire: async () => [],
      close: () => Promise.resolve(),
    };
  }

  return { of, rows, troubles, died: locks.died };
}

/** What the statements of one transaction's handlers come to, and how often each order had its effect. */
function openStatements(orders: Orders, clock: Clocked, timeoutMs: number) {
  const effects = new Map<string, number>();
  let marked = new Map<string, number>();
  function undo(): void {
    effects.clear();
    for (const [id, times] of marked) effects.set(id, times);
  }
  const execute = (async ([statement = ""]: TemplateStringsArray, ...[id]: SqlValue[]) => {
    if (statement.startsWith("SAVEPOINT")) marked = new Map(effects);
    if (statement.startsWith("ROLLBACK TO")) undo();
    if (statement.includes("SAVEPOINT")) return [];
    const plan = orders.planOf(id as string);
    if (plan?.statement === "breaks") throw unavailable();
    if (plan?.statement === "fails") throw new Error("syntax error");
    if (plan?.statement === "hangs") {
      await clock.sleep(timeoutMs);
      throw new Error("canceling statement due to statement timeout");
    }
    effects.set(id as string, (effects.get(id as string) ?? 0) + 1);
    return [];
  }) as Tx;
  return { execute, effects };
}
