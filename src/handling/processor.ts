/** What happens to delivered records, from the scheduler's choice to how each ends (./ending.ts). */
import type { ConsumerConfig } from "../config.ts";
import type { Tx } from "../ledger/ledger.ts";
import { createGather } from "../runtime/gather.ts";
import { attempt, type Deadline, faultOf, startDeadline } from "./attempt.ts";
import { createBreaker } from "./breaker.ts";
import { createEnding, type ProcessorParts } from "./ending.ts";
import { createRecorder, type Ends } from "./recorder.ts";
import { createScheduler } from "./scheduler.ts";
import type { Work } from "./work.ts";

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
