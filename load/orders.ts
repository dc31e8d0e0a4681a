/**
 * A good client of the balancer, run by k6: posts one order an iteration under a key of its own, tries again with the
 * same key as load/policy.ts says, and writes down what it was told, one line an order on k6's console output. That
 * is the cheapest way out of k6 which needs no k6 of one's own: 45 of the 325 µs of CPU that an order costs here.
 * Run by load/run.ts, which gives it the profile and the variables.
 */
import { sleep } from "k6";
import exec from "k6/execution";
import http from "k6/http";
import { Rate } from "k6/metrics";
import { lineOf, orderOf } from "./answers.ts";
import { maxRetries, orderLimitMs, readSetback, waitBeforeRetryMs } from "./policy.ts";
import { summarize } from "./thresholds.ts";

const accepted = new Rate("orders_accepted");
const url = `${__ENV.URL}/orders`;

export default function () {
  const { key, customer, body } = orderOf(`${__ENV.RUN}`, exec.scenario.iterationInTest);
  const text = JSON.stringify(body);
  const headers = { "Content-Type": "application/json", "Idempotency-Key": key };
  const startedMs = Date.now();
  const deadlineMs = startedMs + orderLimitMs;
  let firstStatus = 0;
  let unknown = false;
  for (let attempts = 1; ; attempts += 1) {
    const timeout = deadlineMs - Date.now();
    const answer = http.post(url, text, { headers, timeout });
    const { status } = answer;
    const endedMs = Date.now();
    if (attempts === 1) firstStatus = status;
    const told = { key, customer, startedMs, endedMs, attempts, firstStatus, status };
    if (status === 202) {
      accepted.add(true);
      console.log(lineOf({ ...told, fate: "accepted", id: `${answer.json("id")}` }));
      return;
    }
    const { fate, again } = readSetback(status);
    unknown ||= fate === "unknown";
    const waitMs = waitBeforeRetryMs(attempts, answer.headers["Retry-After"]);
    if (!again || attempts > maxRetries || endedMs + waitMs >= deadlineMs) {
      accepted.add(false);
      console.log(lineOf({ ...told, fate: unknown ? "unknown" : "refused" }));
      return;
    }
    sleep(waitMs / 1_000);
  }
}

/** Instead of k6's own summary: what load/run.ts wants to know, in a file. */
export const handleSummary = (data: Parameters<typeof summarize>[0]) => ({
  [`${__ENV.SUMMARY}`]: JSON.stringify(summarize(data)),
});
