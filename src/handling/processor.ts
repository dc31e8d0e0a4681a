/**
 * What happens to delivered records. Each record ends in exactly one of two ways, and only then is it finished: its
 * effect and ledger row are committed (or were already), or its dead letter is acknowledged. A record that fails is
 * tried again after a while, unless that is nobody's fault, for as long as it takes.
 */

import type { ConsumerConfig } from "../config.ts";
import type { Tx, Verdict } from "../ledger/ledger.ts";
import { backoffMs } from "../runtime/clock.ts";
import { attempt, type Deadline, type Fault, faultOf, oneLine, startDeadline } from "./attempt.ts";
import { createBreaker } from "./breaker.ts";
import type { DeadLetters } from "./dead-letters.ts";
import { createGather } from "./gather.ts";
import type { Handler } from "./handler.ts";
import { Abandoned, createRecorder, type Ends, type RecorderParts } from "./recorder.ts";
import { createScheduler } from "./scheduler.ts";
import type { Work } from "./work.ts";

/** The parts that a processor works with. */
export type ProcessorParts = RecorderParts & {
  deadLetters: Pick<DeadLetters, "bury">;
  handler: Handler;
};

export function createProcessor(config: ConsumerConfig, parts: ProcessorParts) {
  const { ledger, deadLetters, handler, metrics, log, clock, random } = parts;
  const effects = "effect" in handler;
  const recorder = createRecorder(config, parts);
  const breaker = createBreaker({
    clock,
    random,
    onChange(open) {
      metrics.breakerOpen.set(Number(open));
      if (open) log.error("handling fails for all: nothing is begun but a probe now and then");
      else log.info("handling succeeds again");
    },
  });
  let finishedAtMs = Number.NEGATIVE_INFINITY;

  /** Handles a batch; `free`: another may begin. @returns the works to be tried again, in their order; never rejects */
  async function run(batch: Work[], free: () => void): Promise<Work[]> {
    const works = batch.filter(({ owner }) => !owner.leaving);
    const ended = breaker.begin();
    for (const { owner } of works) owner.running += 1;
    try {
      for (const work of works) {
        work.begunAtMs ??= clock.nowMs();
        if (work.owner.waiting.delete(work)) metrics.waiting.dec({ for: work.waitsFor });
        if ("fault" in work.decoded) void giveUp(work, `undecodable: ${work.decoded.fault}`);
      }
      const orders = works.filter(({ decoded }) => "entry" in decoded);
      if (orders.length === 0) return [];
      if (effects) return await effect(orders[0] as Work, free);
      return conclude(orders, await recorder.record(orders, handled));
    } catch (error) {
      if (error instanceof Abandoned) return [];
      throw error;
    } finally {
      ended();
      for (const { owner } of works) owner.running -= 1;
    }
  }

  /** An effect elsewhere, then its row. The customer's next order waits for both, another customer's for the first. */
  async function effect(work: Work, free: () => void): Promise<Work[]> {
    // Should the row fail, the effect is not repeated for that.
    work.effected ||= await isKnown(work);
    if (!work.effected) {
      const deadline = startDeadline(clock, config.HANDLER_TIMEOUT_MS);
      try {
        await handled(work, deadline);
        breaker.note(1, []);
        work.effected = true;
      } catch (error) {
        return conclude([work], new Map([[work, faultOf(error)]]));
      } finally {
        deadline.stop();
      }
    }
    free();
    return conclude([work], await record(work));
  }

  /** Which orders the ledger has already: their effect is done. */
  const isKnown = createGather(config.LEDGER_BATCH_ORDERS, async (works: Work[]) => {
    const ids = works.map(({ entry }) => entry.order.id);
    const known = await recorder.whileLedgerIsDown(works, () => ledger.known(ids));
    return ({ entry }) => known.has(entry.order.id);
  });

  const record = createGather(config.LEDGER_BATCH_ORDERS, async (works: Work[]) => {
    const ends = await recorder.record(works, () => undefined);
    return () => ends;
  });

  /** Calls the handler, as `attempt` does, and observes how long it takes. */
  function handled(work: Work, deadline: Deadline, tx?: Tx): Promise<void> | undefined {
    const sinceMs = clock.nowMs();
    const done = (): undefined => {
      metrics.handlerSeconds.observe((clock.nowMs() - sinceMs) / 1_000);
    };
    return attempt(handler, work, deadline, tx)?.then(done) ?? done();
  }

  /** Finishes what is decided. @returns what is to be tried again: it failed, or was not come to */
  function conclude(works: Work[], ends: Ends): Work[] {
    const counts = { handled: 0, redelivered: 0, duplicate: 0, conflict: 0 };
    const failed = [];
    for (const work of works) {
      const end = ends.get(work);
      if (typeof end === "object") {
        if (end.kind !== "reject") failed.push(work);
      } else if (end) {
        counts[end] += 1;
        if (end === "conflict") void giveUp(work, "conflict: another order was handled under the same id");
        else finish(work);
      }
    }
    for (const [verdict, orders] of Object.entries(counts)) metrics.verdict(verdict as Verdict, orders);
    const noted = failed.map((work) => ({
      customer: work.customer,
      first: work.failures === 0,
      giveBack: () => Object.assign(work, { attempts: 0, begunAtMs: undefined, failedAtMs: undefined }),
    }));
    const ownFault = breaker.note(effects ? 0 : counts.handled, noted);
    return works.filter((work) => {
      const end = ends.get(work);
      return typeof end === "object" ? isPutOff(work, end, ownFault) : end === undefined;
    });
  }

  /** Puts off an order that failed. @returns false when it is given up, or nothing is to be done for it any more */
  function isPutOff(work: Work, { kind, reason }: Fault, ownFault: boolean): boolean {
    if (work.owner.leaving) return false;
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
      const alive = breaker.handledAtMs() >= (work.begunAtMs ?? nowMs);
      if (kind === "reject" || late || (alive && work.attempts >= config.HANDLER_ATTEMPTS)) {
        void giveUp(work, reason);
        return false;
      }
    }
    metrics.retried.inc();
    work.record.own();
    work.waitsFor = counted ? "attempt" : "dependency";
    work.reason = oneLine(reason);
    work.owner.waiting.add(work);
    metrics.waiting.inc({ for: work.waitsFor });
    const { id: orderId } = work.entry.order;
    const delayMs = Math.round(work.notBeforeMs - nowMs);
    log.warn({ orderId, attempt: work.attempts, reason, delayMs }, "handling failed, trying again later");
    return true;
  }

  /** A letter, then its row, and only then is the record finished: beside the batches, for that may take long. */
  async function giveUp(work: Work, why: string): Promise<void> {
    const { record, owner, attempts, orderId } = work;
    const { topic, partition, offset } = record;
    const burial = { orderId, topic, partition, offset, reason: oneLine(why), attempts };
    owner.running += 1;
    record.own();
    metrics.lettersWaiting.inc();
    try {
      await deadLetters.bury(record, burial, owner.revoked.signal);
      await recorder.whileLedgerIsDown([work], () => ledger.bury(burial));
      log.error(burial, "dead letter");
      metrics.dead.inc();
      finish(work);
    } catch (error) {
      // Taken away meanwhile: the next owner of the partition begins anew with this record.
      if (!owner.leaving) throw error;
    } finally {
      metrics.lettersWaiting.dec();
      owner.running -= 1;
    }
  }

  function finish({ tracker, record }: Work): void {
    finishedAtMs = clock.nowMs();
    tracker.finish(record);
  }

  const scheduler = createScheduler<Work>({
    concurrency: effects ? config.EFFECT_CONCURRENCY : config.HANDLER_CONCURRENCY,
    admits() {
      const { most, waitMs } = breaker.admits();
      return { most: Math.min(most, effects ? 1 : recorder.mostOrders()), waitMs, freshFirst: most === 1 };
    },
    run,
    clock,
  });

  return {
    ...scheduler,
    /** When the last record was finished. */
    finishedAtMs: (): number => finishedAtMs,
  };
}
