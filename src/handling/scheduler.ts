/** Who is next: customers side by side, one's orders in order; who waits holds up nobody else; what failed once goes alone. */
import type { Clock } from "../runtime/clock.ts";

/** Not to be begun before its time (on the clock's scale); `alone`: in no batch with others. */
type Scheduled = { readonly customer: string; readonly notBeforeMs: number; readonly alone: boolean };

type Queue<Work> = { readonly customer: string; waiting: Work[] };

/** The work that waits, each customer's in its order. @param onReady called when there is some more that can begin */
function createQueues<Work extends Scheduled>(clock: Clock, onReady: () => void) {
  /** Every customer with work that waits or runs. */
  const queues = new Map<string, Queue<Work>>();
  /** Those that can begin now: something waits, nothing runs, the first is due. Apart: those whose first goes alone. */
  const [ready, readyAlone]: [Queue<Work>[], Queue<Work>[]] = [[], []];
  /** Nothing of this customer runs any more: it is ready again, or set aside until its first work is due. */
  function release(queue: Queue<Work>): void {
    const first = queue.waiting[0];
    const waitMs = first ? first.notBeforeMs - clock.nowMs() : 0;
    if (!first) queues.delete(queue.customer);
    else if (waitMs > 0)
      clock.timer(waitMs, () => {
        release(queue);
        onReady();
      });
    else (first.alone ? readyAlone : ready).push(queue);
  }
  return {
    ready,
    readyAlone,
    release,
    /** Takes works on, in the order in which they were delivered. */
    push(works: readonly Work[]): void {
      for (const work of works) {
        const { customer } = work;
        const known = queues.get(customer);
        const queue = known ?? { customer, waiting: [] };
        queue.waiting.push(work);
        if (known) continue;
        queues.set(customer, queue);
        ready.push(queue);
      }
      onReady();
    },
    due(mostOfCustomer: number): number {
      const nowMs = clock.nowMs();
      let count = 0;
      for (const { waiting } of queues.values())
        if (waiting[0] && waiting[0].notBeforeMs <= nowMs) count += Math.min(waiting.length, mostOfCustomer);
      return count;
    },
    /** Forgets waiting work, e.g. that of a partition that was taken away. Running work is not touched. */
    drop(unwanted: (work: Work) => boolean): void {
      for (const queue of queues.values()) queue.waiting = queue.waiting.filter((work) => !unwanted(work));
      for (const queue of [...ready.splice(0), ...readyAlone.splice(0)]) release(queue);
    },
  };
}

/**
 * @param options.concurrency batches at once
 * @param options.admits asked before each batch: most works in it; none for so long
 * @param options.run handles a batch, keeping each customer's order, and resolves with the works that have to be
 *   tried again, in the order given; must not reject. Calls `free` when another batch may begin, its end at the latest
 */
export function createScheduler<Work extends Scheduled>(options: {
  concurrency: number;
  admits: () => { most: number; waitMs: number };
  run: (batch: Work[], free: () => void) => Promise<Work[]>;
  clock: Clock;
}) {
  const { concurrency, admits, run, clock } = options;
  const { ready, readyAlone, release, push, due, drop } = createQueues<Work>(clock, pump);
  let [running, runningAlone, runningWorks, lastWasAlone] = [0, 0, 0, false];
  let stopWaiting: (() => void) | undefined;
  /** While others could begin, what goes alone takes turns with them and has a quarter of the room; else all but one. */
  function aloneIsNext(): boolean {
    if (readyAlone.length === 0) return false;
    if (ready.length === 0) return runningAlone < Math.max(1, concurrency - 1);
    return !lastWasAlone && runningAlone < Math.ceil(concurrency / 4);
  }
  function pump(): void {
    while (running < concurrency && ready.length + readyAlone.length > 0) {
      const { most, waitMs } = admits();
      if (most < 1) {
        stopWaiting?.();
        stopWaiting = clock.timer(waitMs, pump);
        return;
      }
      const alone = aloneIsNext();
      if (!alone && ready.length === 0) return;
      lastWasAlone = alone;
      begin(alone ? readyAlone : ready, alone ? 1 : most);
    }
  }
  function begin(from: Queue<Work>[], most: number): void {
    const alone = Number(from === readyAlone);
    const nowMs = clock.nowMs();
    const batch: Work[] = [];
    let count = 0;
    for (; batch.length < most && count < from.length; count += 1) {
      const { waiting } = from[count] as Queue<Work>;
      const end = waiting.findIndex((work) => work.notBeforeMs > nowMs || (work.alone && !alone));
      batch.push(...waiting.splice(0, Math.min(end < 0 ? waiting.length : end, most - batch.length)));
    }
    const taken = from.splice(0, count);
    running += 1;
    runningAlone += alone;
    runningWorks += batch.length;
    let held = true;
    const free = () => {
      if (held) running -= 1;
      if (held) runningAlone -= alone;
      held = false;
      pump();
    };
    const done = run(batch, free).then((again) => {
      runningWorks -= batch.length;
      for (const queue of taken) {
        if (again[0]) queue.waiting.unshift(...again.filter((one) => one.customer === queue.customer));
        release(queue);
      }
      free();
    });
    done.catch(reportError);
  }
  /** How many works run or could, were there room; at most so many of a customer, who must not keep others' away. */
  const inHand = (mostOfCustomer: number): number => runningWorks + due(mostOfCustomer);
  return { push, drop, inHand };
}
