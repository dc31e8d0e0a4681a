/**
 * Who is handled next: customers side by side, one customer's orders in order, at most so many batches at once. A
 * customer whose order has to wait for another attempt is set aside and holds up nobody else.
 */

/** The scheduler's view of a piece of work: not to be begun before its time (ms since the epoch). */
export type Scheduled = { readonly customer: string; readonly notBeforeMs: number };

type Queue<Work> = { readonly customer: string; waiting: Work[] };

/**
 * @param options.concurrency batches at once
 * @param options.batchLimit most works in the next batch; asked each time
 * @param options.run handles a batch, keeping each customer's order, and resolves with the works that have to be
 *   tried again, in the order given; must not reject
 */
export function createScheduler<Work extends Scheduled>(options: {
  concurrency: number;
  batchLimit: () => number;
  run: (batch: Work[]) => Promise<Work[]>;
}) {
  const { concurrency, batchLimit, run } = options;
  /** Every customer with work that waits or runs. */
  const queues = new Map<string, Queue<Work>>();
  /** Those that can begin now: something waits, nothing runs, the first is due. */
  let ready: Queue<Work>[] = [];
  let running = 0;
  let runningWorks = 0;

  function pump(): void {
    while (running < concurrency && ready.length > 0) {
      const limit = Math.max(1, batchLimit());
      const nowMs = Date.now();
      const batch: Work[] = [];
      const taken: Queue<Work>[] = [];
      while (batch.length < limit && taken.length < ready.length) {
        const queue = ready[taken.length] as Queue<Work>;
        const late = queue.waiting.findIndex((work) => work.notBeforeMs > nowMs);
        const due = late < 0 ? queue.waiting.length : late;
        batch.push(...queue.waiting.splice(0, Math.min(due, limit - batch.length)));
        taken.push(queue);
      }
      ready = ready.slice(taken.length);
      running += 1;
      runningWorks += batch.length;
      void run(batch).then((again) => {
        running -= 1;
        runningWorks -= batch.length;
        for (const queue of taken) {
          if (again.length > 0)
            queue.waiting.unshift(...again.filter(({ customer }) => customer === queue.customer));
          release(queue);
        }
        pump();
      });
    }
  }

  /** Nothing of this customer runs any more: it is ready again, or set aside until its first work is due. */
  function release(queue: Queue<Work>): void {
    const first = queue.waiting[0];
    if (!first) queues.delete(queue.customer);
    else if (first.notBeforeMs <= Date.now()) ready.push(queue);
    else
      setTimeout(() => {
        release(queue);
        pump();
      }, first.notBeforeMs - Date.now());
  }

  return {
    /** Takes works on, in the order in which they were delivered. */
    push(works: readonly Work[]): void {
      for (const work of works) {
        const queue = queues.get(work.customer);
        if (queue) queue.waiting.push(work);
        else {
          const fresh = { customer: work.customer, waiting: [work] };
          queues.set(work.customer, fresh);
          ready.push(fresh);
        }
      }
      pump();
    },
    /**
     * How many works run or could, were there room: none of customers who are set aside, and at most so many of each of the
     * others, one of whom must not keep the next customers' orders away.
     */
    inHand(mostOfCustomer: number): number {
      const nowMs = Date.now();
      let count = runningWorks;
      for (const { waiting } of queues.values())
        if (waiting[0] && waiting[0].notBeforeMs <= nowMs) count += Math.min(waiting.length, mostOfCustomer);
      return count;
    },
    /** Shows all works that wait. */
    eachWaiting(show: (work: Work) => void): void {
      for (const { waiting } of queues.values()) for (const work of waiting) show(work);
    },
    /** Forgets waiting work, e.g. that of a partition that was taken away. Running work is not touched. */
    drop(unwanted: (work: Work) => boolean): void {
      for (const queue of queues.values()) queue.waiting = queue.waiting.filter((work) => !unwanted(work));
      for (const { customer, waiting } of ready) if (waiting.length === 0) queues.delete(customer);
      ready = ready.filter(({ waiting }) => waiting.length > 0);
    },
  };
}
