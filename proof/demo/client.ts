// A good client: it sends orders at a steady rate, each under a key of its own, tries again with the same key while
// it has no good answer, and keeps a record of what it was told in the end. That record is what the verdict is
// made from.

import { type Order, partyOf } from "../../src/order.ts";
import { sampleOrder } from "../../src/sample.ts";
import { orderId } from "../../src/wire/order-id.ts";
import { maxRetries, orderLimitMs, readSetback, type Setback, waitBeforeRetryMs } from "../client/policy.ts";
import type { Answer } from "./verdict.ts";

const tickMs = 10;
/** What could not be sent in time is not made up for beyond this. */
const burstMs = 200;
/** As many requests as Bun has open at once. */
const maxInFlight = 256;

const customers = 200;

/** What the client has been told so far. */
export interface ClientCounts {
  accepted: number;
  /** Orders without their final answer. */
  open: number;
  /** Single answers other than 202, and requests without an answer, before any retry. */
  failures: number;
}

export type Client = ReturnType<typeof startClient>;

/** Starts at once. @param url of the balancer's /orders; @param hear takes each final answer as it comes */
export function startClient(url: string, ratePerS: number, hear: (answer: Answer) => void = () => undefined) {
  const answers: Answer[] = [];
  const open = new Set<Promise<void>>();
  const counts = { accepted: 0, failures: 0 };
  let closed = false;
  let placed = 0;
  let allowance = 0;
  let lastMs = performance.now();

  const timer = setInterval(() => {
    const nowMs = performance.now();
    allowance = Math.min(allowance + ((nowMs - lastMs) / 1_000) * ratePerS, 1 + (ratePerS * burstMs) / 1_000);
    lastMs = nowMs;
    for (; allowance >= 1 && open.size < maxInFlight; allowance -= 1) {
      const done: Promise<void> = place(next()).then(() => void open.delete(done));
      open.add(done);
    }
  }, tickMs);

  function next(): Order {
    const n = placed++;
    return sampleOrder(n, `demo-${n % customers}`);
  }

  async function place(order: Order): Promise<void> {
    const key = crypto.randomUUID();
    const deadline = performance.now() + orderLimitMs;
    let unknown = false;
    for (let tries = 1; tries === 1 || !closed; tries++) {
      const answer = await post(url, order, key, deadline - performance.now());
      if (answer.fate === "accepted") {
        counts.accepted += 1;
        answers.push(answer);
        hear(answer);
        return;
      }
      counts.failures += 1;
      unknown ||= answer.fate === "unknown";
      const waitMs = waitBeforeRetryMs(tries, answer.retryAfter);
      if (!answer.again || closed || tries > maxRetries || performance.now() + waitMs > deadline) break;
      await Bun.sleep(waitMs);
    }
    // A refusal speaks for one try only: an earlier one may have been accepted.
    const answer: Answer = { id: orderId(partyOf(order), key), fate: unknown ? "unknown" : "refused" };
    answers.push(answer);
    hear(answer);
  }

  return {
    /** The final answer to each order. */
    answers: answers as readonly Answer[],
    counts: (): ClientCounts => ({ ...counts, open: open.size }),
    /** Sends nothing new, and resolves when every order has its final answer. */
    async stop(): Promise<void> {
      clearInterval(timer);
      await Promise.all(open);
    },
    /** Tries nothing again either. */
    [Symbol.dispose](): void {
      clearInterval(timer);
      closed = true;
    },
  };
}

type Reply = { fate: "accepted"; id: string } | (Setback & { retryAfter: string | null });

async function post(url: string, order: Order, key: string, limitMs: number): Promise<Reply> {
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": key },
      body: JSON.stringify(order),
      signal: AbortSignal.timeout(limitMs),
    });
    const body = await response.text();
    if (response.status === 202) return { fate: "accepted", id: JSON.parse(body).id };
    return { ...readSetback(response.status), retryAfter: response.headers.get("retry-after") };
  } catch {
    // No answer, or half of one.
    return { ...readSetback(0), retryAfter: null };
  }
}
