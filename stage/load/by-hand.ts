/**
 * The load by hand: a good client whose rate, mix and pauses are turned while it runs, with bursts on demand. What it was
 * told of each order in the end goes to whoever keeps the record. Requests that come in one go share connections; slow
 * bodies and chunks go through the load's own client.
 */
import type { EdgeAccess } from "../../infra/secure/access.ts";
import { ascending, percentile } from "../../kit/percentile.ts";
import type { Load, Mix } from "../../page/state.ts";
import type { ClientAnswer } from "../../proof/client/answers.ts";
import { place, postWholeAs } from "../../proof/client/client.ts";
import { batchOf, inPiecesOf, type MixedRequest, requestOf } from "../../proof/client/mix.ts";
import { isContradicted } from "../../proof/client/told.ts";
import { digestOf, orderIdOf } from "../../proof/history/history.ts";
import { createRate } from "../readings.ts";
import type { Answer } from "../reconciler.ts";

const tickMs = 20;
/** What could not be sent in time is not made up for beyond this. */
const catchUpMs = 200;
/** Requests under way at once: what is due beyond is not sent, and the rate shown is what was answered. */
const mostOpen = 256;
export const mostPerS = 2_000;
export const mostBurst = 5_000;
const repeatAfterMs = 200;
/** Answers over which the percentile is taken, and for how long one counts. */
const mostTimes = 4_096;
const latencyWindowMs = 5_000;

export type LoadByHand = ReturnType<typeof startLoadByHand>;

/**
 * Starts paused.
 * @param url of the balancer
 * @param access what that asks for, where it does
 */
export function startLoadByHand(
  { url, access }: { url: string; access: EdgeAccess | undefined },
  tell: (answer: Answer) => void,
) {
  const run = crypto.randomUUID();
  const stopping = new AbortController();
  const wanted = { ratePerS: 100, paused: true, mix: "single" as Mix };
  const open = new Set<Promise<void>>();
  const whole = { post: postWholeAs(access), repeatMs: repeatAfterMs };
  const latencies = createLatencies();
  const rate = createRate();
  let [sent, answered, burst, allowance] = [0, 0, 0, 0];
  let lastMs = performance.now();

  let timer: Timer | undefined;
  /** Nothing ticks while nothing is to be sent. */
  function tickWhileDue(): void {
    const isDue = burst >= 1 || !(wanted.paused || stopping.signal.aborted);
    if (isDue === (timer !== undefined)) return;
    clearInterval(timer);
    lastMs = performance.now();
    timer = isDue ? setInterval(tick, tickMs) : undefined;
  }

  function tick(): void {
    const nowMs = performance.now();
    const perS = wanted.paused ? 0 : wanted.ratePerS;
    allowance = Math.min(allowance + ((nowMs - lastMs) / 1_000) * perS, 1 + (perS * catchUpMs) / 1_000);
    lastMs = nowMs;
    while (open.size < mostOpen && (burst >= 1 || allowance >= 1)) {
      const request = next(wanted.mix, run, sent++);
      // A batch may be more than was left: the next burst owes nothing for it.
      if (burst >= 1) burst = Math.max(0, burst - request.orders.length);
      else allowance -= request.orders.length;
      const done: Promise<void> = send(request).then(() => void open.delete(done));
      open.add(done);
    }
    tickWhileDue();
  }

  async function send(request: MixedRequest): Promise<void> {
    const beganMs = performance.now();
    const how = request.sent.includes("-") ? { access } : { access, ...whole };
    const answers = await place(url, request, stopping.signal, how);
    hear(answers, performance.now() - beganMs);
  }

  function hear(answers: readonly ClientAnswer[], tookMs: number): void {
    answered += answers.length;
    latencies.take(tookMs);
    for (const one of answers) tell(answerOf(one));
  }

  return {
    /** Counts what other clients of this stage's were told as its own. */
    hear(answers: readonly ClientAnswer[]): void {
      for (const one of answers) hear([one], one.endedMs - one.startedMs);
    },
    /** Turns the load; what is not given stays. A pause ends a burst as well. */
    set(change: Partial<typeof wanted>): void {
      Object.assign(wanted, change);
      if (change.paused) burst = 0;
      tickWhileDue();
    },
    /** Sends so many orders more, as fast as they are answered. */
    burst(orders: number): void {
      burst += orders;
      tickWhileDue();
    },
    view: (): Load => ({
      ...wanted,
      answeredPerS: Math.round(rate(answered)),
      p99Ms: latencies.p99Ms(),
      open: open.size,
    }),
    /** Sends nothing more and gives up on what is under way: unknown. */
    async stop(): Promise<void> {
      burst = 0;
      stopping.abort();
      tickWhileDue();
      await Promise.all(open);
    },
  };
}

const answerOf = (one: ClientAnswer): Answer => ({
  ...{ id: orderIdOf(one), fate: one.fate, digest: digestOf(one) },
  // A 202 that names no order names another one.
  ...{ toldId: one.id ?? "", contradicted: isContradicted(one) },
});

/** How long the last answers took. */
function createLatencies() {
  const times: [atMs: number, tookMs: number][] = [];
  return {
    take(tookMs: number): void {
      times.push([performance.now(), tookMs]);
      if (times.length > mostTimes) times.shift();
    },
    p99Ms(): number | undefined {
      const fromMs = performance.now() - latencyWindowMs;
      const took = ascending(times.filter(([atMs]) => atMs > fromMs).map(([, ms]) => ms));
      return took.length > 0 ? percentile(took, 99) : undefined;
    },
  };
}

function next(mix: Mix, run: string, n: number): MixedRequest {
  if (mix === "batch") return batchOf(run, n);
  if (mix === "slow") return inPiecesOf(run, n);
  // Never the batches that the usual mix has now and then.
  return { ...requestOf(run, n + 3, Number.POSITIVE_INFINITY), repeated: mix === "keyed" };
}
