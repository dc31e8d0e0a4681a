/** What a person sees of a load run when it is over: made from the client's record alone. */

import { ascending, percentile } from "../../kit/percentile.ts";
import type { ClientAnswer } from "../client/answers.ts";
import type { RateStep } from "./profiles.ts";
import type { LoadResult } from "./run.ts";

const bars = "▁▂▃▄▅▆▇█";
/** A run's time is shown in so many columns at most. */
const columns = 60;

/** The run in a few lines. @param steps of its profile; more than one, and the knee is looked for */
export function summaryLines(
  { answers, dropped, crossed }: Pick<LoadResult, "answers" | "dropped" | "crossed">,
  steps: readonly RateStep[],
): string[] {
  const first = answers.reduce((least, { startedMs }) => Math.min(least, startedMs), Infinity);
  const last = answers.reduce((most, { startedMs }) => Math.max(most, startedMs), 0);
  const seconds = Math.max(1, Math.ceil((last - first) / 1_000));
  const width = Math.ceil(seconds / columns);
  const slots = Array.from({ length: Math.ceil(seconds / width) }, (): ClientAnswer[] => []);
  for (const answer of answers)
    slots[Math.min(slots.length - 1, Math.floor((answer.startedMs - first) / 1_000 / width))]?.push(answer);
  const rates = slots.map((slot) => slot.length / width);
  const p99s = slots.map((slot) => percentile(latencies(slot), 99));

  const of = (fate: ClientAnswer["fate"]) => answers.filter((answer) => answer.fate === fate).length;
  const retried = answers.filter(({ attempts }) => attempts > 1).length;
  const sorted = latencies(answers);
  const at = (percent: number) => inMs(percentile(sorted, percent));
  return [
    row("sent", `${count(answers.length)} orders in ${seconds} s, ${count(dropped)} requests dropped`),
    row("mix", mixLine(answers)),
    row(
      "answered",
      `accepted ${count(of("accepted"))}, refused ${count(of("refused"))}, unknown ${count(of("unknown"))}`,
    ),
    row("tries", `${count(retried)} orders needed more than one${firstFailures(answers)}`),
    row("latency", `median ${at(50)}, p95 ${at(95)}, p99 ${at(99)}, p99.9 ${at(99.9)}, longest ${at(100)}`),
    row("rate", `${chart(rates)}  at most ${count(Math.round(Math.max(0, ...rates)))}/s`),
    row("p99", `${chart(p99s)}  ${inMs(Math.min(...p99s))} to ${inMs(Math.max(...p99s))}`),
    ...(steps.length > 1 ? [row("steps", stepLine(answers, steps, first))] : []),
    row("thresholds", crossed.length === 0 ? "none crossed" : `crossed: ${crossed.join(", ")}`),
  ];
}

/** A step of a run as its orders fared. */
export type StepResult = { rate: number; acceptedShare: number; p99Ms: number };

/** How the orders of each step fared, by when they were sent. */
export function stepResults(
  answers: readonly ClientAnswer[],
  steps: readonly RateStep[],
  startMs: number,
): StepResult[] {
  let fromMs = startMs;
  return steps.map(({ rate, seconds }) => {
    const toMs = fromMs + seconds * 1_000;
    const sent = answers.filter(({ startedMs }) => startedMs >= fromMs && startedMs < toMs);
    const good = sent.filter(({ fate }) => fate === "accepted").length;
    fromMs = toMs;
    return {
      rate,
      acceptedShare: good / Math.max(sent.length, rate * seconds),
      p99Ms: percentile(latencies(sent), 99),
    };
  });
}

const kneeShare = 0.99;
const kneeP99Ms = 1_000;

/** The last step up to which nearly every order that was due was sent and accepted, and none took long. */
export function kneeOf(results: readonly StepResult[]): StepResult | undefined {
  const beyond = results.findIndex(
    ({ acceptedShare, p99Ms }) => acceptedShare < kneeShare || p99Ms > kneeP99Ms,
  );
  return beyond < 0 ? results.at(-1) : results[beyond - 1];
}

function stepLine(answers: readonly ClientAnswer[], steps: readonly RateStep[], startMs: number): string {
  const results = stepResults(answers, steps, startMs);
  const all = results.map(
    ({ rate, acceptedShare, p99Ms }) => `${rate}/s ${(acceptedShare * 100).toFixed(0)} % ${inMs(p99Ms)}`,
  );
  const knee = kneeOf(results);
  const verdict = knee
    ? `the knee lies ${knee === results.at(-1) ? "above" : "at"} ${knee.rate}/s`
    : "beyond the knee from the start";
  return `${all.join(", ")}: ${verdict} (99 % accepted, p99 within 1 s)`;
}

const latencies = (answers: readonly ClientAnswer[]): number[] =>
  ascending(answers.map(({ startedMs, endedMs }) => endedMs - startedMs));

/** The orders by how they were sent; those that were sent once more after they had been accepted. */
function mixLine(answers: readonly ClientAnswer[]): string {
  const ways = [...Map.groupBy(answers, ({ sent }) => sent)].map(
    ([sent, orders]) => `${sent} ${count(orders.length)}`,
  );
  const again = answers.filter(({ againStatus }) => againStatus !== undefined).length;
  return `${ways.join(", ")}; accepted and sent again ${count(again)}`;
}

function firstFailures(answers: readonly ClientAnswer[]): string {
  const failed = Map.groupBy(
    answers.filter(({ attempts, firstStatus }) => attempts > 0 && firstStatus !== 202),
    ({ firstStatus }) => (firstStatus === 0 ? "no answer" : `${firstStatus}`),
  );
  const kinds = [...failed].map(([status, orders]) => `${count(orders.length)} × ${status}`);
  return kinds.length === 0 ? "" : `; first tries that failed: ${kinds.join(", ")}`;
}

function chart(values: readonly number[]): string {
  const most = Math.max(1, ...values);
  return values.map((value) => bars[Math.round((value / most) * (bars.length - 1))]).join("");
}

const row = (name: string, text: string) => `  ${name.padEnd(11)} ${text}`;
const count = (value: number) => value.toLocaleString("en");
const inMs = (ms: number) => (ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`);
