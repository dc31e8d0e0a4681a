/**
 * What happens to delivered records, from the scheduler's choice to how each ends: its effect and row are committed, or its dead
 * letter is acknowledged; until then it is tried again.
 */
import type { ConsumerConfig } from "../config.ts";
import type { Burial, Tx } from "../ledger/ledger.ts";
import { backoffMs } from "../runtime/clock.ts";
import { createGather } from "../runtime/gather.ts";
import { attempt, type Deadline, type Fault, faultOf, oneLine, startDeadline } from "./attempt.ts";
import { createBreaker } from "./breaker.ts";
import type { DeadLetters } from "./dead-letters.ts";
import type { Handler } from "./handler.ts";
import { createRecorder, type Ends, type RecorderParts } from "./recorder.ts";
import { createScheduler } from "./scheduler.ts";
import type { Work } from "./work.ts";

type ProcessorParts = RecorderParts & { deadLetters: Pick<DeadLetters, "bury">; handler: Handler };
type Tools = { recorder: ReturnType<typeof createRecorder>; breaker: ReturnType<typeof createBreaker> };

export function createProcessor(config: ConsumerConfig, parts: ProcessorParts) {
  const { ledger, handler, metrics, log, clock, random } = parts;
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
  const { conclude, giveUp } = createEnding(config, { ...parts, recorder, breaker });
  async function run(batch: Work[], free: () => void): Promise<Work[]> {
    const works = batch.filter(({ owner }) => !owner.leaving);
    for (const { owner } of works) owner.running += 1;
    try {
      for (const work of works) {
        breaker.giveBack(work);
        work.begunAtMs ??= clock.nowMs();
        if ("fault" in work.decoded) void giveUp(work, `undecodable: ${work.decoded.fault}`);
      }
      const orders = works.filter(({ decoded }) => "entry" in decoded);
      if (effects && orders[0]) return await effect(orders[0], free);
      return conclude(orders, await recorder.record(orders, handled));
    } finally {
      for (const { owner } of works) owner.running -= 1;
    }
  }
  /** An effect elsewhere, then its row. The customer's next order waits for both, another customer's for the first. */
  async function effect(work: Work, free: () => void): Promise<Work[]> {
    // Should the row fail, the effect is not repeated for that; and who went alone then keeps nobody from theirs.
    const recordIt = work.effected && work.alone ? recordAlone : record;
    work.effected ||= await isKnown(work);
    if (!work.effected) {
      if (work.owner.leaving) return [];
      const deadline = startDeadline(clock, config.HANDLER_TIMEOUT_MS);
      try {
        await handled(work, deadline);
        breaker.note([work], []);
        work.effected = true;
      } catch (error) {
        return conclude([work], new Map([[work, faultOf(error)]]));
      } finally {
        deadline.stop();
      }
    }
    if (recordIt === record) free();
    return conclude([work], await recordIt(work));
  }
  /** Which orders the ledger has already: their effect is done. */
  const isKnown = createGather(config.LEDGER_BATCH_ORDERS, async (works: Work[]) => {
    const ids = works.map(({ entry }) => entry.order.id);
    const views = await recorder.whileLedgerIsDown(works, () => ledger.find(ids));
    return ({ entry }) => views?.get(entry.order.id)?.status === "handled";
  });
  const recordAlone = (work: Work) => recorder.record([work], () => Promise.resolve());
  const record = createGather<Work, Ends>(config.LEDGER_BATCH_ORDERS, (works) =>
    recorder.record(works, () => Promise.resolve(), true).then((ends) => () => ends),
  );
  async function handled(work: Work, deadline: Deadline, tx?: Tx): Promise<void> {
    const sinceMs = clock.nowMs();
    await attempt(handler, work, deadline, tx);
    metrics.handlerSeconds.observe((clock.nowMs() - sinceMs) / 1_000);
  }
  const scheduler = createScheduler<Work>({
    concurrency: effects ? config.EFFECT_CONCURRENCY : config.HANDLER_CONCURRENCY,
    admits() {
      const { most, waitMs } = breaker.admits();
      return { most: Math.min(most, effects ? 1 : recorder.mostOrders()), waitMs };
    },
    run,
    clock,
  });
  return { ...scheduler, ledgerDown: recorder.ledgerDown };
}

function createEnding(config: ConsumerConfig, parts: ProcessorParts & Tools) {
  const { ledger, deadLetters, handler, metrics, log, clock, random, recorder, breaker } = parts;
  /** Finishes what is decided. @returns what is to be tried again: it failed, or was not come to */
  function conclude(works: Work[], ends: Ends): Work[] {
    const [handled, failed]: [Work[], Work[]] = [[], []];
    for (const work of works) {
      const end = ends.get(work);
      if (end) work.owner.waiting.delete(work);
      if (typeof end === "object") {
        if (end.kind !== "reject") failed.push(work);
      } else if (end) {
        metrics.verdicts[end].inc();
        if (end === "handled" && !("effect" in handler)) handled.push(work);
        if (end === "conflict") void giveUp(work, "conflict: another order was handled under the same id");
        else work.tracker.finish(work.record);
      }
    }
    const ownFault = breaker.note(handled, failed);
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
      const spent = work.attempts / config.HANDLER_ATTEMPTS;
      if (kind === "reject" || breaker.mayGiveUp(work, { spent, late })) {
        void giveUp(work, reason);
        return false;
      }
    }
    metrics.retried.inc();
    work.waitsFor = counted ? "attempt" : "dependency";
    work.reason = oneLine(reason);
    work.owner.waiting.add(work);
    const { orderId, attempts: attempt } = work;
    const told = { orderId, attempt, delayMs: Math.round(work.notBeforeMs - nowMs) };
    log.warn({ ...told, reason: oneLine(work.forLog(reason)) }, "handling failed, trying again later");
    return true;
  }
  /** Rows of letters, many at once: thousands by themselves would keep everybody else from the ledger. */
  const note = createGather(config.LEDGER_BATCH_ORDERS, async (letters: [Work, Burial][]) => {
    const bury = () => ledger.bury(...letters.map(([, burial]) => burial)).then(() => true);
    const works = letters.map(([work]) => work);
    const noted = await recorder.whileLedgerIsDown(works, bury);
    return () => noted;
  });
  /** A letter, then its row, and only then is the record finished: beside the batches, for that may take long. */
  async function giveUp(work: Work, why: string): Promise<void> {
    const { record, owner, tracker, attempts, orderId } = work;
    const { topic, partition, offset } = record;
    const burial = { orderId, topic, partition, offset, reason: oneLine(why), attempts };
    owner.running += 1;
    metrics.lettersWaiting.inc();
    try {
      const buried = deadLetters.bury(record, burial, owner.revoked.signal);
      await buried.finally(() => metrics.lettersWaiting.dec());
      const noted = await note([work, burial]);
      // Taken away meanwhile: the next owner of the partition begins anew with this record.
      if (!noted) return;
      log.error({ ...burial, reason: oneLine(work.forLog(why)) }, "dead letter");
      metrics.dead.inc();
      tracker.finish(record);
    } catch (error) {
      if (!owner.leaving) reportError(error);
    } finally {
      owner.running -= 1;
    }
  }
  return { conclude, giveUp };
}
