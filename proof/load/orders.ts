/**
 * A good client of the balancer, run by k6: sends one request an iteration under a key of its own, tries again with
 * the same key as proof/client/policy.ts says, and writes down what it was told of each order, one line an order on
 * k6's console output. That is the cheapest way out of k6 which needs no k6 of one's own: 45 of the 325 µs of CPU that
 * an order costs here. Run by proof/load/run.ts, which gives it the profile and the variables.
 */
import { sleep } from "k6";
import exec from "k6/execution";
import http from "k6/http";
import { Rate } from "k6/metrics";
import { lineOf } from "../client/answers.ts";
import { type MixedRequest, repeatAfterMs, requestOf, turnOf } from "../client/mix.ts";
import { keysEveryMs, waitBeforeRetryMs } from "../client/policy.ts";
import { createTold } from "../client/told.ts";
import { summarize } from "./thresholds.ts";

const accepted = new Rate("orders_accepted");
/** A try of which not every order was accepted: a 207 alone does not say so. */
const failed = new Rate("tries_failed");
const retries = Number(__ENV.RETRIES);
const limitMs = Number(__ENV.LIMIT_MS);
const batchEvery = Number(__ENV.BATCH_EVERY);
let tokens = __ENV.TOKENS ? __ENV.TOKENS.split(",") : [];
let tokensMs = Date.now();

export default function () {
  const request = requestOf(`${__ENV.RUN}`, exec.scenario.iterationInTest, batchEvery);
  const told = createTold(request);
  const deadlineMs = Date.now() + limitMs;
  const send = () => {
    if (__ENV.TOKENS_URL && Date.now() > tokensMs + keysEveryMs) askForTokens(__ENV.TOKENS_URL);
    const startedMs = Date.now();
    const answer = post(request, deadlineMs - startedMs);
    told.hear({ status: answer.status, text: answer.body as string | null, startedMs, endedMs: Date.now() });
    return answer;
  };
  for (let tries = 1; ; tries += 1) {
    const answer = send();
    failed.add(!told.accepted());
    const waitMs = waitBeforeRetryMs(tries, answer.headers["Retry-After"]);
    if (!told.again() || tries > retries || Date.now() + waitMs >= deadlineMs) break;
    sleep(waitMs / 1_000);
  }
  if (request.repeated && told.accepted()) {
    sleep(repeatAfterMs / 1_000);
    send();
  }
  const answers = told.answers();
  for (const { fate } of answers) accepted.add(fate === "accepted");
  console.log(answers.map(lineOf).join("\n"));
}

/** Where there is no answer it goes on with those that it has. */
function askForTokens(url: string) {
  tokensMs = Date.now();
  const { status, body } = http.get(url, { timeout: keysEveryMs });
  if (status === 200) tokens = (body as string).split(",");
}

function post({ path, key, body }: MixedRequest, timeout: number) {
  const own = tokens.length > 0 ? { Authorization: `Bearer ${turnOf(key, tokens)}` } : {};
  const headers = { "Content-Type": "application/json", "Idempotency-Key": key, ...own };
  return http.post(`${__ENV.URL}${path}`, body, { headers, timeout });
}

/** Instead of k6's own summary: what proof/load/run.ts wants to know, in a file. */
export const handleSummary = (data: Parameters<typeof summarize>[0]) => ({
  [`${__ENV.SUMMARY}`]: JSON.stringify(summarize(data)),
});
