// The demo's orders: a good client sends them at a steady rate, one by one, and keeps a record of what it was told of each in
// the end. That record is what the verdict is made from.
import { place, postWholeAs, type Try } from "../client/client.ts";
import { type MixedRequest, singleOf } from "../client/mix.ts";
import { digestOf, orderIdOf } from "../history/history.ts";
import type { FinalAnswer } from "./verdict.ts";

const tickMs = 10;
/** What could not be sent in time is not made up for beyond this. */
const burstMs = 200;
/** As many requests as Bun has open at once. */
const maxInFlight = 256;

/** What the client has been told so far. */
export interface ClientCounts {
  accepted: number;
  /** Orders without their final answer. */
  open: number;
  /** Single answers other than 202, and requests without an answer, before any retry. */
  failures: number;
}

export type DemoClient = ReturnType<typeof startClient>;

/** Starts at once. @param url of the balancer; @param hear takes each final answer as it comes */
export function startClient(
  url: string,
  ratePerS: number,
  hear: (answer: FinalAnswer) => void = () => undefined,
) {
  const run = crypto.randomUUID();
  const answers: FinalAnswer[] = [];
  const open = new Set<Promise<void>>();
  const counts = { accepted: 0, failures: 0 };
  const closing = new AbortController();
  let sent = 0;
  let allowance = 0;
  let lastMs = performance.now();

  const timer = setInterval(() => {
    const nowMs = performance.now();
    allowance = Math.min(allowance + ((nowMs - lastMs) / 1_000) * ratePerS, 1 + (ratePerS * burstMs) / 1_000);
    lastMs = nowMs;
    for (; allowance >= 1 && open.size < maxInFlight; allowance -= 1) {
      const done: Promise<void> = send(singleOf(run, sent++)).then(() => void open.delete(done));
      open.add(done);
    }
  }, tickMs);

  const post: Try = async (...request) => {
    const answer = await postWholeAs()(...request);
    if (answer.status !== 202) counts.failures += 1;
    return answer;
  };

  async function send(request: MixedRequest): Promise<void> {
    for (const told of await place(url, request, closing.signal, { post })) {
      const { fate, id: toldId } = told;
      const answer = { id: orderIdOf(told), fate, digest: digestOf(told), toldId };
      if (fate === "accepted") counts.accepted += 1;
      answers.push(answer);
      hear(answer);
    }
  }

  return {
    /** The final answer to each order. */
    answers: answers as readonly FinalAnswer[],
    counts: (): ClientCounts => ({ ...counts, open: open.size }),
    /** Sends nothing new, and resolves when every order has its final answer. */
    async stop(): Promise<void> {
      clearInterval(timer);
      await Promise.all(open);
    },
    /** Waits for nothing either: what has no answer then is unknown. */
    [Symbol.dispose](): void {
      clearInterval(timer);
      closing.abort();
    },
  };
}
