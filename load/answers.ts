/**
 * The client's record of a load run: what it sent and what it was told, order by order. The verdict is made from it.
 * One line an order, made in k6 and read here; nothing that only one of the two has may be imported.
 */
import type { Fate } from "../src/outcomes.ts";

/** What the client knows of one order in the end. */
export type ClientAnswer = {
  /** The order's own (`orderKey`). With the customer it gives the id (src/order-id.ts), also where none was told. */
  key: string;
  customer: string;
  /** Of the first try, and of the last answer; ms since the epoch. */
  startedMs: number;
  endedMs: number;
  /** 0: the client itself was ended before it heard anything. */
  attempts: number;
  /** HTTP status of the first try and of the last; 0: there was no answer. */
  firstStatus: number;
  status: number;
  /** Over all tries: a refusal speaks for one try only, an earlier one may have been accepted. */
  fate: Fate;
  /** As the 202 told it. */
  id?: string;
};

/** An answer as a line of the record. */
export const lineOf = (answer: ClientAnswer): string =>
  `${answer.key} ${answer.customer} ${answer.startedMs} ${answer.endedMs} ${answer.attempts} ` +
  `${answer.firstStatus} ${answer.status} ${answer.fate} ${answer.id ?? "-"}`;

const form = /^(\S+) (\S+) (\d+) (\d+) (\d+) (\d+) (\d+) (accepted|refused|unknown) (\S+)$/;

/** Reads a record. @throws Error when a line is of another form */
export function readAnswers(text: string): ClientAnswer[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [, key = "", customer = "", startedMs, endedMs, attempts, firstStatus, status, fate, id = ""] =
        form.exec(line) ?? [];
      if (!key) throw new Error(`not a line of the client's record: ${line}`);
      return {
        key,
        customer,
        startedMs: Number(startedMs),
        endedMs: Number(endedMs),
        attempts: Number(attempts),
        firstStatus: Number(firstStatus),
        status: Number(status),
        fate: fate as Fate,
        ...(id !== "-" && { id }),
      };
    });
}

/** The n-th order of a run: its key, its customer, and the body. Customers repeat, keys don't. */
export function orderOf(run: string, n: number) {
  const customer = `c${n % customers}`;
  const coffee = coffees[n % coffees.length];
  const size = sizes[n % sizes.length];
  return { key: `${run}-${n}`, customer, body: { customer, coffee, size, quantity: 1 + (n % 5) } };
}

const customers = 997;
const coffees = ["espresso", "americano", "cappuccino", "flat-white", "latte", "mocha"];
const sizes = ["small", "medium", "large"];

/**
 * The record made whole: orders are numbered without gaps, and one that is missing was under way when k6 was ended.
 * Nobody heard its answer, which is what unknown means.
 */
export function withInterrupted(
  answers: readonly ClientAnswer[],
  run: string,
  endedMs: number,
): ClientAnswer[] {
  const byNumber = new Map(answers.map((answer) => [Number(answer.key.slice(run.length + 1)), answer]));
  let count = 0;
  for (const n of byNumber.keys()) count = Math.max(count, n + 1);
  let startedMs = endedMs;
  for (const answer of answers) startedMs = Math.min(startedMs, answer.startedMs);
  return Array.from({ length: count }, (_, n) => {
    const known = byNumber.get(n);
    if (known) startedMs = known.startedMs;
    const { key, customer } = orderOf(run, n);
    const silence = { attempts: 0, firstStatus: 0, status: 0, fate: "unknown" as const };
    return known ?? { key, customer, startedMs, endedMs, ...silence };
  });
}
