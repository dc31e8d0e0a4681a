/**
 * What happens to delivered records. Each record ends in exactly one of two ways, and only then is it finished: its
 * effect and ledger row are committed (or were already), or its dead letter is acknowledged. A record that fails is
 * tried again after a while, unless that is nobody's fault, for as long as it takes.
 */
import type { Clock } from "../clock.ts";
import type { ConsumerConfig } from "../config.ts";
import type { Failure, Ledger, Verdict } from "../ledger/ledger.ts";
import type { Logger } from "../log.ts";
import { attempt, startDeadline } from "./attempt.ts";
import { backoffMs } from "./backoff.ts";
import { createBatchLimit } from "./batch-limit.ts";
import { createBreaker } from "./breaker.ts";
import type { DeadLetters } from "./dead-letters.ts";
import { createGather } from "./gather.ts";
import { type Fault, faultOf, type Handler, oneLine } from "./handler.ts";
import type { HandlingMetrics } from "./metrics.ts";
import { Abandoned, createRecorder, type Ends, isLate } from "./recorder.ts";
import type { Admission } from "./scheduler.ts";
import { createWaitingOrders } from "./waiting.ts";
import { entryOf, isOwned, type Work } from "./work.ts";

/** Longest time that a slow order may hold up the others of its batch: then it goes alone, with its full time. */
const sharedTimeoutMs = 1_000;

export type Processor = ReturnType<typeof createProcessor>;

/** The parts that a processor works with. `random`: from 0 to below 1, as Math.random. */
export type ProcessorParts = {
  ledger: Ledger;
  deadLetters: Pick<DeadLetters, "bury">;
  handler: Handler;
  metrics: HandlingMetrics;
  log: Logger;
  clock: Clock;
  random: () => number;
};

export function createProcessor(config: ConsumerConfig, parts: ProcessorParts) {
  const { ledger, deadLetters, handler, metrics, log, clock, random } = parts;
  const effects = "effect" in handler;
  const batchLimit = createBatchLimit(config.LEDGER_BATCH_ORDERS);
  const recorder = createRecorder({ ...parts, batchLimit });
  const waiting = createWaitingOrders(metrics);
  const breaker = createBreaker({
    clock,
    random,
    onChange(open) {
      metrics.breakerOpen.set(Number(open));
      if (open) log.error("handling fails for all: nothing is begun but a probe now and then");
      else log.info("handling succeeds again");
    },
  });
  let handledAtMs = Number.NEGATIVE_INFINITY;

  /** Handles a batch; `free`: another may begin. @returns the works to be tried again, in their order; never rejects */
  async function run(batch: Work[], free: () => void): Promise<Work[]> {
    const works = batch.filter(isOwned);
    const ended = breaker.begin();
    for (const { owner } of works) owner.running += 1;
    try {
      const orders: Work[] = [];
      for (const work of works) {
        if ("fault" in work.decoded) giveUp(work, `undecodable: ${work.decoded.fault}`);
        else {
          work.begunAtMs ??= clock.nowMs();
          waiting.remove(work);
          orders.push(work);
        }
      }
      if (orders.length === 0) return [];
      return effects ? await effect(orders[0] as Work, free) : await apply(orders);
    } catch (error) {
      if (error instanceof Abandoned) return [];
      throw error;
    } finally {
      ended();
      for (const { owner } of works) owner.running -= 1;
    }
  }

  async function apply(works: Work[]): Promise<Work[]> {
    const shared = works.length > 1;
    const longestMs = Math.min(config.HANDLER_TIMEOUT_MS, ledger.longestApplyMs ?? config.HANDLER_TIMEOUT_MS);
    const timeoutMs = shared ? Math.min(sharedTimeoutMs, longestMs) : longestMs;
    const ends = await recorder.record(works, timeoutMs, (work, tx, deadline) => {
      const done = observed();
      return attempt(handler, work, deadline, tx)?.then(done) ?? done();
    });
    if (!shared) return conclude(works, ends);
    // The time of a batch is too short to count as an attempt's: who needs more goes alone.
    for (const [work, end] of ends)
      if (typeof end === "object" && isLate(end)) {
        work.alone = true;
        ends.delete(work);
      }
    return conclude(works, ends);
  }

  /** An effect elsewhere, then its row. The customer's next order waits for both, another customer's for the first. */
  async function effect(work: Work, free: () => void): Promise<Work[]> {
    // Should the row fail, the effect is not repeated for that.
    work.effected ||= await isKnown(work);
    if (!work.effected) {
      const deadline = startDeadline(clock, config.HANDLER_TIMEOUT_MS);
      const done = observed();
      try {
        await attempt(handler, work, deadline, undefined);
        done();
        breaker.note(1, []);
        work.effected = true;
      } catch (error) {
        return conclude([work], new Map([[work, { place: "handler", error }]]));
      } finally {
        deadline.stop();
      }
    }
    free();
    const end = await record(work);
    return conclude([work], end ? new Map([[work, end]]) : new Map());
  }

  /** Which orders the ledger has already: their effect is done. */
  const isKnown = createGather(config.LEDGER_BATCH_ORDERS, async (works: Work[]) => {
    const idOf = (work: Work) => entryOf(work).order.id;
    const known = await recorder.whileLedgerIsDown(works, () => ledger.known(works.map(idOf)));
    return (work) => known.has(idOf(work));
  });

  const record = createGather(config.LEDGER_BATCH_ORDERS, async (works: Work[]) => {
    const ends = await recorder.record(works, config.HANDLER_TIMEOUT_MS, () => undefined);
    return (work) => ends.get(work);
  });

  /** @returns what is to be called at the end of a handler that began now */
  function observed(): () => undefined {
    const sinceMs = clock.nowMs();
    return () => {
      metrics.handlerSeconds.observe((clock.nowMs() - sinceMs) / 1_000);
    };
  }

  /** Finishes what is decided. @returns what is to be tried again: it failed, or was not come to */
  function conclude(works: Work[], ends: Ends): Work[] {
    const counts = { handled: 0, redelivered: 0, duplicate: 0, conflict: 0 };
    const failed: Work[] = [];
    for (const [work, end] of ends) {
      if (typeof end === "object") failed.push(work);
      else {
        counts[end] += 1;
        if (end === "conflict") giveUp(work, "conflict: another order was handled under the same id");
        else finish(work);
      }
    }
    for (const [verdict, orders] of Object.entries(counts)) metrics.verdict(verdict as Verdict, orders);
    if (counts.handled > 0) handledAtMs = clock.nowMs();
    const faults = new Map(failed.map((work) => [work, faultOf((ends.get(work) as Failure).error)]));
    const attempts = failed.filter((work) => faults.get(work)?.kind !== "reject");
    const noted = attempts.map((work) => ({
      customer: work.customer,
      first: work.failures === 0,
      giveBack: () => Object.assign(work, { attempts: 0, begunAtMs: undefined, failedAtMs: undefined }),
    }));
    const ownFault = breaker.note(effects ? 0 : counts.handled, noted);
    return works.filter((work) => {
      const fault = faults.get(work);
      return fault ? isPutOff(work, fault, ownFault) : !ends.has(work);
    });
  }

  /** Puts off an order that failed. @returns false when it is given up, or nothing is to be done for it any more */
  function isPutOff(work: Work, { kind, reason }: Fault, ownFault: boolean): boolean {
    if (!isOwned(work)) return false;
    const counted = kind === "reject" || (kind !== "later" && ownFault);
    const nowMs = clock.nowMs();
    work.alone = true;
    work.failures += 1;
    work.notBeforeMs = nowMs + backoffMs(work.failures, config.RETRY_BASE_MS, config.RETRY_MAX_MS, random);
    if (counted) {
      work.attempts += 1;
      work.failedAtMs ??= nowMs;
      const late = work.notBeforeMs > work.failedAtMs + config.RETRY_TIMEOUT_MS;
      // As long as nothing else succeeds either, it may not be the order's fault.
      const alive = handledAtMs >= (work.begunAtMs ?? nowMs);
      if (kind === "reject" || late || (alive && work.attempts >= config.HANDLER_ATTEMPTS)) {
        giveUp(work, reason);
        return false;
      }
    }
    metrics.retried.inc();
    work.record.own();
    waiting.add(work, counted ? "attempt" : "dependency", oneLine(reason));
    const delayMs = Math.round(work.notBeforeMs - nowMs);
    const { id: orderId } = entryOf(work).order;
    log.warn({ orderId, attempt: work.attempts, reason, delayMs }, "handling failed, trying again later");
    return true;
  }

  /** Begins a record's burial, beside the batches: a dead-letter topic that is out of reach holds up no order. */
  function giveUp(work: Work, reason: string): void {
    work.owner.running += 1;
    work.record.own();
    metrics.lettersWaiting.inc();
    void bury(work, oneLine(reason)).finally(() => {
      metrics.lettersWaiting.dec();
      work.owner.running -= 1;
    });
  }

  /** Sends the dead letter, notes it in the ledger, and only then is the record finished. */
  async function bury(work: Work, reason: string): Promise<void> {
    const { record, owner, attempts, decoded } = work;
    const { topic, partition, offset } = record;
    const orderId = "entry" in decoded ? decoded.entry.order.id : null;
    try {
      await deadLetters.bury(record, { reason, attempts }, owner.revoked.signal);
      await recorder.whileLedgerIsDown([work], () =>
        ledger.bury({ topic, partition, offset, orderId, reason, attempts }),
      );
    } catch (error) {
      // Taken away meanwhile: the next owner of the partition begins anew with this record.
      if (!isOwned(work)) return;
      throw error;
    }
    log.error({ orderId, topic, partition, offset, reason, attempts }, "dead letter");
    metrics.dead.inc();
    finish(work);
  }

  return {
    run,
    concurrency: effects ? config.EFFECT_CONCURRENCY : config.HANDLER_CONCURRENCY,
    /** What may begin now; asked before each batch. */
    admits(): Admission {
      const { most, waitMs } = breaker.admits();
      return { most: Math.min(most, effects ? 1 : batchLimit.current()), waitMs, freshFirst: most === 1 };
    },
    waiting: waiting.of,
  };
}

const finish = ({ slot }: Work): void => slot.tracker.finish(slot);
