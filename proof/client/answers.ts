/**
 * The client's record of a load run: what it sent and what it was told, order by order. The verdict is made from it.
 * One line an order, made in k6 and read here; nothing that only one of the two has may be imported.
 */
import type { Fate } from "../../src/outcomes.ts";
import { requestOf, type Sent, type SentOrder, usualBatchEvery } from "./mix.ts";

/** What the client knows of one order in the end. */
export type ClientAnswer = SentOrder & {
  /** As whom it was sent, where the edge asks. */
  principal?: string;
  sent: Sent;
  /** When the first try had been sent whole, and when the last answer came; ms since the epoch. */
  startedMs: number;
  endedMs: number;
  /** 0: the client itself was ended before it heard anything. */
  attempts: number;
  /** HTTP status of the first try and of the last, in a batch the order's own; 0: there was no answer. */
  firstStatus: number;
  status: number;
  /** Over all tries: a refusal speaks for one try only, an earlier one may have been accepted. */
  fate: Fate;
  /** As the 202 told them; the offset is null where the producer was not told it. */
  id?: string;
  place?: { partition: number; offset: number | null };
  /** What it was told when it was sent once more after it had been accepted; 0: nothing. */
  againStatus?: number;
  againId?: string;
};

/** An answer as a line of the record. */
export const lineOf = (answer: ClientAnswer): string =>
  `${answer.key} ${answer.customer} ${answer.sent} ${answer.startedMs} ${answer.endedMs} ${answer.attempts} ` +
  `${answer.firstStatus} ${answer.status} ${answer.fate} ${answer.id ?? "-"} ` +
  `${answer.againStatus ?? "-"} ${answer.againId ?? "-"} ` +
  `${answer.place ? `${answer.place.partition}/${answer.place.offset ?? "-"}` : "-"}`;

const form =
  /^(\S+) (\S+) ((?:single|batch|streamed)(?:-chunked|-slow)?) (\d+) (\d+) (\d+) (\d+) (\d+) (accepted|refused|unknown) (\S+) (\d+|-) (\S+) (?:(\d+)\/(\d+|-)|-)$/;

/** Reads a record. @throws Error when a line is of another form, or the last one has no end: half an id looks like one */
export function readAnswers(text: string): ClientAnswer[] {
  if (text !== "" && !text.endsWith("\n"))
    throw new Error("the client's record ends in the middle of a line");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [, key = "", customer = "", sent, startedMs, endedMs, attempts, ...rest] = form.exec(line) ?? [];
      const [firstStatus, status, fate, id = "", againStatus = "", againId = "", partition, offset] = rest;
      if (!key) throw new Error(`not a line of the client's record: ${line}`);
      return {
        key,
        customer,
        sent: sent as Sent,
        startedMs: Number(startedMs),
        endedMs: Number(endedMs),
        attempts: Number(attempts),
        firstStatus: Number(firstStatus),
        status: Number(status),
        fate: fate as Fate,
        ...(id !== "-" && { id }),
        ...(againStatus !== "-" && { againStatus: Number(againStatus) }),
        ...(againId !== "-" && { againId }),
        ...(partition && {
          place: { partition: Number(partition), offset: offset === "-" ? null : Number(offset) },
        }),
      };
    });
}

/** Which of its run's requests an order was sent with. */
const nthOf = ({ key }: ClientAnswer, run: string): number => Number.parseInt(key.slice(run.length + 1), 10);

/** Of how many requests of a run a record has orders. */
export const requestsIn = (answers: readonly ClientAnswer[], run: string): number =>
  new Set(answers.map((answer) => nthOf(answer, run))).size;

/**
 * The record of k6 made whole: its requests are numbered without gaps, and what is missing of one was under way when
 * k6 was ended. Nobody heard the answer, which is what unknown means.
 */
export function withInterrupted(
  answers: readonly ClientAnswer[],
  run: string,
  endedMs: number,
  batchEvery = usualBatchEvery,
): ClientAnswer[] {
  const byKey = new Map(answers.map((answer) => [answer.key, answer]));
  let count = 0;
  let startedMs = endedMs;
  for (const answer of answers) {
    count = Math.max(count, nthOf(answer, run) + 1);
    startedMs = Math.min(startedMs, answer.startedMs);
  }
  return Array.from({ length: count }, (_, n) => requestOf(run, n, batchEvery)).flatMap(({ sent, orders }) =>
    orders.map((order) => {
      const known = byKey.get(order.key);
      if (known) startedMs = known.startedMs;
      const silence = { attempts: 0, firstStatus: 0, status: 0, fate: "unknown" as const };
      return known ?? { ...order, sent, startedMs, endedMs, ...silence };
    }),
  );
}
