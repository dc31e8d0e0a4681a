/**
 * What happens to a batch of delivered records. Each record ends in exactly one of two ways, and only then is it
 * finished: its effect and ledger row are committed (or were already), or its dead letter is acknowledged. A record
 * that fails is tried again after a while; a ledger that is down is waited for and blamed on no record.
 */
import type { ConsumerConfig } from "../config.ts";
import { type Entry, type Ledger, LedgerUnavailableError, type Tx, type Verdict } from "../ledger/ledger.ts";
import type { Logger } from "../log.ts";
import { backoffMs } from "./backoff.ts";
import { createBatchLimit } from "./batch-limit.ts";
import type { DeadLetters } from "./dead-letters.ts";
import type { Handler, HandlerContext } from "./handler.ts";
import type { HandlingMetrics } from "./metrics.ts";
import type { Work } from "./work.ts";

/** Longest time that a slow order may hold up the others of its batch: then each goes alone, with its full time. */
const sharedTimeoutMs = 1_000;
/** Longer reasons are cut: a header is no place for a stack. */
const maxReason = 1_000;
const ledgerRetryBaseMs = 100;
const ledgerRetryMaxMs = 1_000;

export type Processor = ReturnType<typeof createProcessor>;

/** The parts that a processor works with. */
export type ProcessorParts = {
  ledger: Ledger;
  deadLetters: DeadLetters;
  handle: Handler;
  metrics: HandlingMetrics;
  log: Logger;
};

export function createProcessor(config: ConsumerConfig, parts: ProcessorParts) {
  const { ledger, deadLetters, handle, metrics, log } = parts;
  const batchLimit = createBatchLimit(config.LEDGER_BATCH_ORDERS);

  /** Handles a batch. @returns the works to be tried again, in the order given; never rejects */
  async function run(batch: Work[]): Promise<Work[]> {
    const works = batch.filter(isOwned);
    for (const { owner } of works) owner.running += 1;
    try {
      const orders: Work[] = [];
      for (const work of works) {
        if ("entry" in work.decoded) orders.push(work);
        else giveUp(work, `undecodable: ${work.decoded.fault}`);
      }
      return orders.length === 0 ? [] : await attempt(orders);
    } finally {
      for (const { owner } of works) owner.running -= 1;
    }
  }

  async function attempt(works: Work[]): Promise<Work[]> {
    const alone = works.length === 1;
    const byEntry = new Map(works.map((work) => [entryOf(work), work]));
    let startMs = 0;
    let endMs = 0;
    let deadline: Deadline | undefined;
    let culprit: Work | undefined;
    try {
      const verdicts = await whileLedgerIsDown(works, () => {
        deadline?.stop();
        deadline = undefined;
        culprit = undefined;
        return ledger.record([...byEntry.keys()], (entry, tx) => {
          const work = byEntry.get(entry) as Work;
          // The time counts from the first handler's start: waiting for the ledger is not the handler's fault.
          if (!deadline) {
            deadline = startDeadline(alone ? config.HANDLER_TIMEOUT_MS : sharedTimeoutMs);
            startMs = performance.now();
          }
          const since = performance.now();
          const done = () => {
            endMs = performance.now();
            metrics.handlerSeconds.observe((endMs - since) / 1_000);
          };
          const call = called(handle, entry, contextOf(work, tx, deadline.signal));
          if (Bun.peek.status(call) === "fulfilled") {
            done();
            return undefined;
          }
          return Promise.race([call, deadline.reached]).then(done, (error) => {
            culprit ??= work;
            throw error;
          });
        });
      });
      batchLimit.succeeded(works.length, endMs - startMs);
      const counts = { handled: 0, redelivered: 0, duplicate: 0, conflict: 0 };
      works.forEach((work, index) => {
        const verdict = verdicts[index] as Verdict;
        counts[verdict] += 1;
        if (verdict === "conflict") giveUp(work, "conflict: another order was handled under the same id");
        else work.slot.tracker.finish(work.slot);
      });
      for (const [verdict, orders] of Object.entries(counts)) metrics.verdict(verdict as Verdict, orders);
      return [];
    } catch (error) {
      if (error instanceof Abandoned) return [];
      if (alone) return failed(works[0] as Work, error);
      if (deadline?.signal.aborted) {
        batchLimit.brokenOff();
        return works;
      }
      batchLimit.failed(works.length);
      const again = new Set(culprit ? failed(culprit, error) : []);
      return works.filter((work) => work !== culprit || again.has(work));
    } finally {
      deadline?.stop();
    }
  }

  /** Counts a failed attempt. @returns the work, if it is to be tried again */
  function failed(work: Work, error: unknown): Work[] {
    if (!isOwned(work)) return [];
    work.attempts += 1;
    const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    const { id: orderId } = entryOf(work).order;
    work.failedAtMs ??= Date.now();
    const delayMs = backoffMs(work.attempts, config.RETRY_BASE_MS, config.RETRY_MAX_MS);
    work.notBeforeMs = Date.now() + delayMs;
    const late = work.notBeforeMs > work.failedAtMs + config.RETRY_TIMEOUT_MS;
    if (late || work.attempts >= config.HANDLER_ATTEMPTS) {
      giveUp(work, reason);
      return [];
    }
    metrics.retried.inc();
    work.record.own();
    log.warn({ orderId, attempt: work.attempts, reason, delayMs }, "handling failed, trying again later");
    return [work];
  }

  /** Begins a record's burial, beside the batches: a dead-letter topic that is out of reach holds up no order. */
  function giveUp(work: Work, reason: string): void {
    work.owner.running += 1;
    work.record.own();
    void bury(work, reason).finally(() => {
      work.owner.running -= 1;
    });
  }

  /** Sends the dead letter, notes it in the ledger, and only then is the record finished. */
  async function bury(work: Work, cause: string): Promise<void> {
    const { record, owner, slot, attempts, decoded } = work;
    const { topic, partition, offset } = record;
    const orderId = "entry" in decoded ? decoded.entry.order.id : null;
    const reason = oneLine(cause);
    try {
      await deadLetters.bury(record, { reason, attempts }, owner.revoked.signal);
      await whileLedgerIsDown([work], () =>
        ledger.bury({ topic, partition, offset, orderId, reason, attempts }),
      );
    } catch (error) {
      // Taken away meanwhile: the next owner of the partition begins anew with this record.
      if (!isOwned(work)) return;
      throw error;
    }
    log.error({ orderId, topic, partition, offset, reason, attempts }, "dead letter");
    metrics.dead.inc();
    slot.tracker.finish(slot);
  }

  /** Repeats what failed for the ledger's sake for as long as it takes, unless all partitions concerned are gone. */
  async function whileLedgerIsDown<T>(works: Work[], action: () => Promise<T>): Promise<T> {
    for (let failures = 1; ; failures += 1) {
      try {
        const result = await action();
        metrics.ledgerUp.set(1);
        return result;
      } catch (error) {
        if (!(error instanceof LedgerUnavailableError)) throw error;
        metrics.ledgerUp.set(0);
        if (failures === 1) log.error({ err: error }, "the ledger is unavailable, waiting for it");
        await Bun.sleep(backoffMs(failures, ledgerRetryBaseMs, ledgerRetryMaxMs));
        if (!works.some(isOwned)) throw new Abandoned();
      }
    }
  }

  return { run, batchLimit: batchLimit.current };
}

/** A handler that is no async function may throw, or give what begins only when it is waited for. */
function called(handle: Handler, { order }: Entry, context: HandlerContext): Promise<void> {
  try {
    return Promise.resolve(handle(order, context));
  } catch (error) {
    return Promise.reject(error);
  }
}

/** What a handler is given. Its signal is made when it is asked for: most handlers are done before. */
const contextOf = (work: Work, tx: Tx, deadline: AbortSignal): HandlerContext => ({
  attempt: work.attempts + 1,
  tx,
  get signal() {
    return AbortSignal.any([deadline, work.owner.stopped.signal]);
  },
});

/** Every partition of the batch was taken away: nothing is left to do. */
class Abandoned extends Error {}

const isOwned = ({ owner }: Work): boolean => !owner.revoked.signal.aborted;

function entryOf({ decoded }: Work): Entry {
  if ("entry" in decoded) return decoded.entry;
  throw new Error("an undecodable record has no order");
}

/** What any database, header and log line takes: bounded, well-formed, without control characters. */
const oneLine = (text: string): string =>
  text
    .slice(0, maxReason)
    .toWellFormed()
    .replace(/\p{Cc}/gu, " ");

/** A time limit as a signal and as a promise that rejects; one for a whole batch. */
type Deadline = { signal: AbortSignal; reached: Promise<never>; stop: () => void };

function startDeadline(timeoutMs: number): Deadline {
  const controller = new AbortController();
  const { promise: reached, reject } = Promise.withResolvers<never>();
  reached.catch(() => undefined);
  const timer = setTimeout(() => {
    const error = new DOMException(`not handled within ${timeoutMs} ms`, "TimeoutError");
    controller.abort(error);
    reject(error);
  }, timeoutMs);
  return { signal: controller.signal, reached, stop: () => clearTimeout(timer) };
}
