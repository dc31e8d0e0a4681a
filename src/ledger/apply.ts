/** Handlers in the ledger's transaction: what they may run there, and how one that fails leaves the others' work as it is. */
import { partyOf } from "../order.ts";
import { type Clock, realClock } from "../runtime/clock.ts";
import type { Apply, Entry, Failure, Recorded, SqlValue, Tx, Verdict } from "./ledger.ts";
import { BatchError, LedgerUnavailableError } from "./ledger.ts";

const noPart = /'(?:[^']|'')*'|"[^"]*"|`[^`]*`|\[[^\]]*\]|--[^\r\n]*|\/\*(?:(?!\/\*|\*\/)[\s\S])*\*\//g;
/** A statement without literals, quoted names and comments, of which PostgreSQL's nest. */
export function bare(sql: string): string {
  const less = sql.replace(noPart, " ");
  return less === sql ? sql : bare(less);
}

/** What would end the transaction for all, undo others' statements, or change the connection for who comes next. */
const notForHandlers =
  /^[\s;]*(ABORT|ATTACH|BEGIN|COMMIT|DEALLOCATE|DETACH|DISCARD|END|LISTEN|PRAGMA(?!\s+(defer_foreign_keys|\w*(info|list|check))\b)|PREPARE|RELEASE|RESET|ROLLBACK|SAVEPOINT|SET(?!\s+(LOCAL|CONSTRAINTS)\b)|START)\b/i;

/** What would outlast the transaction on its connection, or run others' statements as another role; the second with its literals. */
const ofTheSession =
  /\bpg_(try_)?advisory_lock\w*|\bSET\s+LOCAL\s+(ROLE|SESSION\s+AUTHORIZATION)\b|\bWITH\s+HOLD\b(?!\s*(AS\b|\())|\bCREATE\s+((?!(AS|ON)\b)\w+\s+){1,6}(pg_)?temp\s*\.|(\bCREATE\s+(OR\s+REPLACE\s+)?|(?<!\b(INSERT|MERGE|REPLACE)(\s+OR\s+\w+)?\s+)\bINTO\s+)((LOCAL|GLOBAL)\s+)?TEMP(ORARY)?\s(?![\s\S]*\bON\s+COMMIT\s+DROP\b)/i;
const settings =
  /(?<!\bcurrent_setting\s*\(\s*')\bstatement_timeout\b|\bset_config\s*\((\s*'role'|[^)]*\bfalse\s*\))/i;

/** Why a handler may not run a statement; undefined: it may. */
function forbidden(strings: TemplateStringsArray): { error: Error } | undefined {
  const sql = strings.join("?");
  const said = bare(sql);
  const words = notForHandlers.exec(said)?.[1] ?? (ofTheSession.exec(said) ?? settings.exec(sql))?.[0].trim();
  return words ? { error: new Error(`${words} is not for handlers`) } : undefined;
}

/**
 * How many orders share a savepoint: all, until one of them has others undone; then fewer, for each that fails costs what its
 * group does twice. Or more again, where groups take their time whatever their size, e.g. as handlers wait for something else: one
 * after another all of them are to take 100 ms.
 */
export function createGrouping(clock: Pick<Clock, "nowMs" | "nextTurn"> = realClock) {
  let [most, tookMs] = [Number.POSITIVE_INFINITY, 0];
  return {
    clock,
    next: (orders: number) => Math.max(most, Math.ceil((orders * tookMs) / 100)),
    /** @param failedAt number of the first in it for which it was undone; 0: it was kept */
    ended(ms: number, orders: number, failedAt: number): void {
      // What a large one takes is mostly for its orders.
      tookMs = Math.max(tookMs / 2, failedAt > 0 ? 0 : ms / Math.max(1, orders / 16));
      most = failedAt > 0 ? Math.max(1, Math.min(most / 2, 3 * Math.sqrt(failedAt))) : most * 1.25;
    },
  };
}

type Mark = () => Promise<PromiseSettledResult<unknown>[]>;
type Within = {
  apply: Apply;
  execute: Tx;
  /** Whether a statement failed since one before it had. */
  isCollateral: (error: unknown) => boolean;
  /** Takes back the ledger's rows with these ids, a JSON array. */
  takeBack: (ids: string) => Promise<unknown>;
  grouping: ReturnType<typeof createGrouping>;
  /** What a handler may take: a group begins in the first half. */
  timeoutMs: number;
};

/**
 * Applies the new ones of several entries, group by group. Who failed is left out, with who comes after it, and what it did is
 * undone; so is what others of its group did, who are applied again. Left out is also whom there is no time for.
 * @returns what became of each entry. @throws BatchError, also where an entry is alone; LedgerUnavailableError if met
 */
export async function applyInGroups(entries: readonly Entry[], verdicts: readonly Verdict[], within: Within) {
  const { execute, takeBack, grouping, timeoutMs } = within;
  const failures = new Map<Entry, Failure>();
  const mayUndo = entries.length > 1;
  const doomed = () => Promise.reject(new BatchError(failures));
  let marks = 0;
  const mark: Mark = () =>
    Promise.allSettled(mayUndo ? [marks++ && execute`RELEASE SAVEPOINT one`, execute`SAVEPOINT one`] : []);
  const fresh = entries.filter((_, at) => verdicts[at] === "handled");
  const left = new Set(fresh.map(({ order }) => order.id));
  let ms = grouping.clock.nowMs();
  const untilMs = ms + timeoutMs / 2;
  for (let rest = fresh; rest.length > 0 && ms < untilMs; ) {
    const beganMs = ms;
    const group = rest.slice(0, grouping.next(rest.length));
    const { failed, isSpoilt } = await applyByCustomer(group, within, mark);
    for (const [entry, failure] of failed) failures.set(entry, failure);
    if (failed.size > 0 && !mayUndo) return doomed();
    if (isSpoilt) await execute`ROLLBACK TO SAVEPOINT one`.catch(doomed);
    const failedCustomers = new Set<string>();
    const isKept = (entry: Entry): boolean => {
      if (failed.has(entry)) failedCustomers.add(partyOf(entry.order));
      return !failedCustomers.has(partyOf(entry.order));
    };
    // Each is asked once, in order: who came before one that failed is kept.
    const [kept, others] = [group.filter(isKept), rest.slice(group.length).filter(isKept)];
    rest = isSpoilt ? [...kept, ...others] : others;
    if (!isSpoilt) for (const { order } of kept) left.delete(order.id);
    ms = grouping.clock.nowMs();
    // Where nobody says whose fault it was, a smaller group follows.
    const failedAt = isSpoilt ? group.findIndex((entry) => failed.has(entry)) + 1 || group.length : 0;
    if (mayUndo) grouping.ended(ms - beganMs, group.length, failedAt);
  }
  // Where a role may not do that, they are left out in a transaction that follows.
  if (left.size > 0) await takeBack(JSON.stringify([...left])).catch(doomed);
  return entries.map(
    (entry, at): Recorded => (left.has(entry.order.id) ? failures.get(entry) : verdicts[at]),
  );
}

/**
 * Applies a group: customers at the same time, one customer's orders one after another. Waits for all of them and their
 * statements. Of one that failed no statement succeeds any more, and its handler says so.
 * @param mark called before the first statement
 */
async function applyByCustomer(entries: readonly Entry[], within: Within, mark: Mark) {
  const { apply, execute, isCollateral, timeoutMs, grouping } = within;
  const { nowMs, nextTurn } = grouping.clock;
  const failed = new Map<Entry, Failure>();
  /** Entries of which a statement was run; whose statements failed for another's sake; whose handler has ended. */
  const [touched, struck, over] = [new Set<Entry>(), new Set<Entry>(), new Set<Entry>()];
  /** Entries with a statement under way, the oldest first: that is the one that the database is at. */
  const underWay = new Set<Entry>();
  /** The newest of each, while it lasts: they go one after another, so of one whose time is over the database has one at most. */
  const newest = new Map<Entry, Promise<unknown>>();
  let unavailable: LedgerUnavailableError | undefined;
  let marked: ReturnType<Mark> | undefined;
  let [ended, isBroken] = [false, false];
  const untilMs = nowMs() + timeoutMs;
  /** Who was struck dooms the group: going on would be in vain, and keep others from their rows or their turn. */
  const isOver = () => ended || struck.size > 0;
  const overError = new Error("the ledger's transaction is over");
  const txOf = (entry: Entry) =>
    ((strings: TemplateStringsArray, ...values: SqlValue[]) => {
      const begin = () => {
        const isLate = over.has(entry) && nowMs() > untilMs;
        const no = isLate ? { error: new DOMException("left behind", "TimeoutError") } : forbidden(strings);
        if (no && !isOver() && !failed.has(entry)) failed.set(entry, { place: "statement", error: no.error });
        if (struck.size > 0) struck.add(entry);
        const refusal = isOver() ? { error: overError } : failed.get(entry);
        // Not at once: a handler that tries again and again would let nothing else go on.
        if (refusal) return nextTurn().then(() => Promise.reject(refusal.error));
        marked ??= mark();
        for (const those of [touched, underWay]) those.add(entry);
        const rows = execute<never>(strings, ...values).finally(() => underWay.delete(entry));
        rows.catch((error) => {
          isBroken = true;
          if (error instanceof LedgerUnavailableError) unavailable ??= error;
          else if (isCollateral(error)) struck.add(entry);
          else if (!failed.has(entry)) failed.set(entry, { place: "statement", error });
        });
        return rows;
      };
      const rows = newest.get(entry)?.then(begin) ?? begin();
      const end: Promise<unknown> = Promise.allSettled([rows]).then(
        () => newest.get(entry) === end && newest.delete(entry),
      );
      newest.set(entry, end);
      return rows;
    }) as Tx;
  /** Waits for what a handler goes on with after a statement that it did not wait for: its customer's next order comes later. */
  const settle = (entry: Entry) => async (): Promise<void> => {
    over.add(entry);
    while (newest.has(entry) && !isOver() && !failed.has(entry)) await newest.get(entry)?.then(nextTurn);
  };
  /** The handler's own word counts before that of its statements, unless another's statement struck or held it up. */
  const fail = (entry: Entry, error: unknown): never => {
    const own = failed.get(entry);
    const isHeldUp = [...underWay].indexOf(entry) > 0;
    if (!own && (isHeldUp || struck.has(entry))) struck.add(entry);
    else if (!own || (own.error !== error && !isCollateral(error)))
      failed.set(entry, { place: "handler", error });
    throw error;
  };
  /** The last of each customer's effects that is not done. */
  const customers = new Map<string, Promise<void>>();
  for (const entry of entries) {
    const customer = partyOf(entry.order);
    const begin = () => apply(entry, txOf(entry)).then(settle(entry), (error) => fail(entry, error));
    customers.set(customer, customers.get(customer)?.then(begin) ?? begin());
  }
  await Promise.allSettled(customers.values());
  await Promise.allSettled(newest.values());
  ended = true;
  if (unavailable) throw unavailable;
  for (const made of (await marked) ?? []) if (made.status === "rejected") throw made.reason;
  if (struck.size > 0 && failed.size === 0 && entries.length === 1) throw new BatchError(failed);
  const isSpoilt = isBroken || struck.size > 0 || [...failed.keys()].some((entry) => touched.has(entry));
  // Where no statement was run, there is nothing to undo, and the savepoint is another group's.
  return { failed, isSpoilt: isSpoilt && marked !== undefined };
}
